"""Where things are deployed: a local cloud on this machine or, after an explicit yes, the reader's own AWS account."""

import atexit
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import boto3
import botocore.session
import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from facecourse.deployment import ministack_server

YES = "yes, create this in my AWS account"
REGION = "us-east-1"  # of the local cloud
# Without Function URLs when this was written: https://docs.aws.amazon.com/lambda/latest/dg/urls-configuration.html
NO_FUNCTION_URLS = ("eu-central-2", "eu-south-2", "il-central-1", "me-central-1", "ca-west-1", "ap-south-2")
NO_FUNCTION_URLS += ("ap-southeast-4", "ap-southeast-5", "ap-southeast-7", "ap-east-2")
START_SECONDS = 30


class CloudError(RuntimeError):
    """The cloud could not be reached or did not do as asked; the message says what to do."""


@dataclass
class Cloud:
    """AWS, or what answers like it; the rest of the course does not tell them apart."""

    session: boto3.Session  # with credentials
    region: str
    account: str
    endpoint: str = ""  # of an emulator; empty for AWS itself
    kind: str = "aws"  # or "local"

    def client(self, service: str):
        """Return boto3's client of one service, for example "s3"."""
        # An emulator needs no signed bodies; over HTTP boto3 would read a file twice to sign it.
        s3 = {"addressing_style": "path", "payload_signing_enabled": False} if self.endpoint else None
        proxies, retries = {} if self.kind == "local" else None, {"max_attempts": 4, "mode": "standard"}
        config = Config(connect_timeout=5, read_timeout=60, retries=retries, s3=s3, proxies=proxies)
        place = {"region_name": self.region, "endpoint_url": self.endpoint or None}
        return self.session.client(service, config=config, **place)

    def public_url(self, function_url: str) -> str:
        """Return the address at which this machine reaches a Function URL, without a slash at its end."""
        if not self.endpoint:
            return function_url.rstrip("/")
        return f"{self.endpoint}/_aws/lambda-url/{urlsplit(function_url).netloc.split('.')[0]}"

    def request(self, method: str, url: str, *, signed: bool = True, **options) -> requests.Response:
        """Call the function over HTTP, signed with the session's credentials as AWS_IAM asks for."""
        auth = Signature(self.session, self.region) if signed else None
        with requests.Session() as http:
            http.trust_env = self.kind == "aws"  # a proxy has no way to this machine's own address
            return http.request(method, url, auth=auth, timeout=90, **options)

    @property
    def running(self) -> bool:
        """Whether it can be asked: AWS always."""
        return True


class LocalCloud(Cloud):
    """ministack, started for this process alone: own port, own folder, own account, this machine only.

    Raises CloudError if it does not answer within START_SECONDS.
    """

    def __init__(self):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        # Drawn anew each time: who does not know it is not let in, see `ministack_server.guarded`.
        account = f"{secrets.randbelow(10**12):012d}"
        super().__init__(local_session(account), REGION, account, f"http://127.0.0.1:{port}", "local")
        self._folder = folder = Path(tempfile.mkdtemp(prefix="facecourse-cloud-"))
        # Nothing of the reader's AWS set-up, or of this project's Python path, may reach the function.
        kept = {k: v for k, v in os.environ.items() if not k.startswith("AWS_") and k != "PYTHONPATH"}
        own = {"GATEWAY_PORT": str(port), "BIND_HOST": "127.0.0.1", "TMPDIR": str(folder)}
        own |= {"S3_DATA_DIR": str(folder / "s3"), "STATE_DIR": str(folder / "state")}
        own |= {"MINISTACK_REGION": REGION, "LOG_LEVEL": "WARNING"}
        own |= dict.fromkeys(("NO_PROXY", "no_proxy"), "127.0.0.1,localhost")
        own |= {"AWS_ACCESS_KEY_ID": account, "AWS_SECRET_ACCESS_KEY": "local"}
        with open(folder / "log.txt", "wb") as log:
            command, streams = [sys.executable, ministack_server.__file__], {"stdout": log, "stderr": log}
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, **streams, env=kept | own, cwd=folder
            )
        atexit.register(self.stop)
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if time.monotonic() > deadline or not self.running:
                log = "\n".join((folder / "log.txt").read_text(errors="replace").splitlines()[-5:])
                self.stop()
                raise CloudError(f"the local cloud did not start within {START_SECONDS} seconds:\n{log}")
            time.sleep(0.1)
        _STARTED.append(self)

    def _answers(self) -> bool:
        try:
            return self.request("GET", f"{self.endpoint}/_ministack/health", signed=False).ok
        except requests.RequestException:
            return False

    @property
    def running(self) -> bool:
        """Whether its process is alive."""
        return self._process.poll() is None

    def stop(self) -> None:
        """End the process and delete its files; once more does nothing."""
        if self.running:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)
        atexit.unregister(self.stop)


_STARTED: list[LocalCloud] = []  # by this process: a cell that is run twice finds its cloud again


def local_session(account: str) -> boto3.Session:
    """Return a session that takes nothing from the reader's AWS set-up; to ministack, the key is the account."""
    nothing = {"profile": (None, None, None, None)}
    nothing |= {name: (None, None, os.devnull, None) for name in ("config_file", "credentials_file")}
    return boto3.Session(
        botocore_session=botocore.session.Session(session_vars=nothing),
        aws_access_key_id=account,
        aws_secret_access_key="local",
        region_name=REGION,
    )


def open_cloud(agreed: str = "") -> Cloud:
    """Return AWS if `agreed` is the sentence in `YES`, word for word, else a local cloud, started unless one runs.

    Raises CloudError if `agreed` is anything else but empty, AWS does not accept the credentials, or no region is set.
    """
    if agreed == YES:
        return _open_aws()
    if agreed:
        raise CloudError(f'AGREED is {agreed!r}: leave it empty for the local cloud, or write "{YES}"')
    return next((cloud for cloud in _STARTED if cloud.running), None) or LocalCloud()


def _open_aws() -> Cloud:
    session = boto3.Session()
    region = session.region_name
    if not region:
        raise CloudError(
            "which region? Faces are personal data, and the law that holds for them depends on where they lie: "
            "run `aws configure set region eu-central-1`, or set AWS_REGION"
        )
    if region in NO_FUNCTION_URLS:
        print(
            f"{region} had no Function URLs when this was written: if the stack cannot be made, take another region"
        )
    endpoint = os.environ.get("AWS_ENDPOINT_URL", "").rstrip("/")
    try:
        sts = session.client("sts", region_name=region, endpoint_url=endpoint or None)
        account = sts.get_caller_identity()["Account"]
    except (BotoCoreError, ClientError) as error:
        raise CloudError(
            f"AWS does not accept this machine's credentials ({error}): run `aws configure` or `aws sso login`"
        ) from None
    return Cloud(session, region, account, endpoint)


class Signature(requests.auth.AuthBase):
    """Signs requests to a Function URL with a session's credentials, by AWS's signature version 4."""

    def __init__(self, session: boto3.Session, region: str):
        self._credentials, self._region = session.get_credentials(), region

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add the headers Authorization, X-Amz-Date and, with temporary credentials, X-Amz-Security-Token."""
        kept = {k: v for k, v in request.headers.items() if k.lower() in ("content-type", "accept")}
        signed = AWSRequest(request.method, request.url, data=request.body or b"", headers=kept)
        SigV4Auth(self._credentials.get_frozen_credentials(), "lambda", self._region).add_auth(signed)
        request.headers.update(dict(signed.headers))
        return request


def signature_for(url: str, account: str = "") -> Signature | None:
    """Return what signs requests to a Function URL, with this machine's AWS credentials if it is one of AWS's.

    `account` is the local cloud's, for an address of it. None for any other address, or without credentials: a public
    function answers unsigned requests too.
    """
    place = urlsplit(url)
    if account and place.path.startswith("/_aws/lambda-url/") and place.hostname == "127.0.0.1":
        return Signature(local_session(account), REGION)
    found = re.fullmatch(r"\w+\.lambda-url\.([\w-]+)\.on\.aws", place.netloc)
    if not found or (session := boto3.Session()).get_credentials() is None:
        return None
    return Signature(session, found[1])
