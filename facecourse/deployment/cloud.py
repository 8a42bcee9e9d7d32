"""Where things are deployed: a local stand-in for AWS, or, after an explicit yes, the reader's own account."""

import atexit
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import boto3
import botocore.session
import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

YES = "yes, create this in my AWS account"
REGION = "us-east-1"
START_SECONDS = 30

# The stand-in ends when this end of its standard input closes: also when the notebook's kernel is killed. It joins a
# request's pieces by copying all of them for each new one, a minute for a model: here they are joined once.
_STARTER = """
import os, runpy, shutil, sys, threading
import ministack.app as stand_in
folder = os.getcwd()

def end_with_notebook():
    sys.stdin.read()
    shutil.rmtree(folder, ignore_errors=True)
    os.kill(os.getpid(), 15)

threading.Thread(target=end_with_notebook, daemon=True).start()

async def read_body(receive, method, headers):
    pieces, more = [], bool(
        headers.get("content-length") or headers.get("transfer-encoding") or method in stand_in._BODY_METHODS)
    while more:
        message = await receive()
        pieces.append(message.get("body", b""))
        more = message.get("more_body", False)
    return stand_in._decode_aws_chunked_body(b"".join(pieces), headers)

stand_in._read_request_body = read_body
sys.argv = ["ministack"]
runpy.run_module("ministack", run_name="__main__")
"""


class CloudError(RuntimeError):
    """The cloud could not be reached or did not do as asked; the message says what to do."""


@dataclass
class Cloud:
    """One place to deploy to, local or AWS; the rest of the course does not tell them apart.

    Attributes
    ----------
    kind : str
        "local" or "aws".
    session : boto3.Session
    region, account : str
    endpoint : str
        Address of the stand-in; empty for AWS itself.
    """

    kind: str
    session: boto3.Session
    region: str
    account: str
    endpoint: str = ""
    _process: subprocess.Popen | None = field(default=None, repr=False)
    _folder: Path | None = field(default=None, repr=False)

    def client(self, service: str):
        """Return boto3's client of one service, for example "s3"."""
        config = Config(
            connect_timeout=5,
            read_timeout=60,
            retries={"max_attempts": 4, "mode": "standard"},
            s3={"addressing_style": "path"} if self.endpoint else None,
            proxies={} if self.kind == "local" else None,
        )
        return self.session.client(
            service, region_name=self.region, endpoint_url=self.endpoint or None, config=config
        )

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

    def log_tail(self, lines: int = 20) -> str:
        """Return the end of the stand-in's own log: where to look when it misbehaves."""
        if self._folder is None or not (self._folder / "log.txt").exists():
            return ""
        return "\n".join((self._folder / "log.txt").read_text(errors="replace").splitlines()[-lines:])

    @property
    def running(self) -> bool:
        """Whether the stand-in's process is alive; AWS always is."""
        return self._process.poll() is None if self._process else self.kind == "aws"

    def stop(self) -> None:
        """End the stand-in and delete its files; calling it again, or for AWS, does nothing."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
        atexit.unregister(self.stop)


_STARTED: list[Cloud] = []  # by this process: a cell that is run twice finds its cloud again


class Signature(requests.auth.AuthBase):
    """Signs a request for a Function URL with AWS's signature version 4.

    Parameters
    ----------
    session : boto3.Session
        With credentials.
    region : str
    """

    def __init__(self, session: boto3.Session, region: str):
        self._credentials, self._region = session.get_credentials(), region

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add the headers Authorization, X-Amz-Date and, with temporary credentials, X-Amz-Security-Token."""
        kept = {k: v for k, v in request.headers.items() if k.lower() in ("content-type", "accept")}
        signed = AWSRequest(request.method, request.url, data=request.body or b"", headers=kept)
        SigV4Auth(self._credentials.get_frozen_credentials(), "lambda", self._region).add_auth(signed)
        request.headers.update(dict(signed.headers))
        return request


def signature_for(url: str) -> Signature | None:
    """Return what signs requests to a Function URL, with this machine's AWS credentials if it is one of AWS's.

    None for any other address, or without credentials: a public function answers unsigned requests too.
    """
    place = urlsplit(url)
    if place.path.startswith("/_aws/lambda-url/"):
        return Signature(_local_session(), REGION)
    if ".lambda-url." not in place.netloc or (session := boto3.Session()).get_credentials() is None:
        return None
    return Signature(session, place.netloc.split(".lambda-url.")[1].split(".")[0])


def open_cloud(agreed: str = "") -> Cloud:
    """Return AWS after an explicit yes, else a local cloud, which this starts unless one is running already.

    Parameters
    ----------
    agreed : str
        Only the sentence in `YES`, word for word, goes to AWS.

    Raises
    ------
    CloudError
        If `agreed` is anything else, or AWS does not accept the credentials.
    """
    if agreed == YES:
        return _open_aws()
    if agreed:
        raise CloudError(f'AGREED is {agreed!r}: leave it empty for the local cloud, or write "{YES}"')
    running = next((cloud for cloud in _STARTED if cloud.running), None)
    return running or start_local_cloud()


def _open_aws() -> Cloud:
    session = boto3.Session()
    region = session.region_name or REGION
    endpoint = os.environ.get("AWS_ENDPOINT_URL", "").rstrip("/")
    try:
        sts = session.client("sts", region_name=region, endpoint_url=endpoint or None)
        account = sts.get_caller_identity()["Account"]
    except (BotoCoreError, ClientError) as error:
        raise CloudError(
            f"AWS does not accept this machine's credentials ({error}): run `aws configure` or `aws sso login`"
        ) from None
    return Cloud("aws", session, region, account, endpoint)


def start_local_cloud() -> Cloud:
    """Start ministack, a stand-in for AWS, for this notebook alone: own port, own folder, this machine only.

    Raises
    ------
    CloudError
        If it does not answer within half a minute.
    """
    folder, port = Path(tempfile.mkdtemp(prefix="facecourse-cloud-")), _free_port()
    endpoint = f"http://127.0.0.1:{port}"
    # Nothing of the reader's AWS set-up, or of this project's Python path, may reach the function.
    kept = {k: v for k, v in os.environ.items() if not k.startswith("AWS_") and k != "PYTHONPATH"}
    own = {"GATEWAY_PORT": str(port), "BIND_HOST": "127.0.0.1", "TMPDIR": str(folder), "LOG_LEVEL": "WARNING"}
    own |= {"S3_DATA_DIR": str(folder / "s3"), "STATE_DIR": str(folder / "state"), "MINISTACK_REGION": REGION}
    own |= {"NO_PROXY": "127.0.0.1,localhost", "no_proxy": "127.0.0.1,localhost"}
    own |= {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local"}
    with open(folder / "log.txt", "wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", _STARTER],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=kept | own,
            cwd=folder,
        )
    cloud = Cloud("local", _local_session(), REGION, "000000000000", endpoint, process, folder)
    atexit.register(cloud.stop)
    _STARTED.append(cloud)
    _wait_for(cloud)
    return cloud


def _local_session() -> boto3.Session:
    """Return a session that takes nothing from the reader's AWS set-up, neither profile nor files."""
    nothing = {"profile": (None, None, None, None)}
    nothing |= {name: (None, None, os.devnull, None) for name in ("config_file", "credentials_file")}
    return boto3.Session(
        botocore_session=botocore.session.Session(session_vars=nothing),
        aws_access_key_id="local",
        aws_secret_access_key="local",
        region_name=REGION,
    )


def _wait_for(cloud: Cloud) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and cloud.running:
        try:
            if cloud.request("GET", f"{cloud.endpoint}/_ministack/health", signed=False).ok:
                return
        except requests.RequestException:
            time.sleep(0.1)
    said = cloud.log_tail(5)
    cloud.stop()
    raise CloudError(f"the local cloud did not start within {START_SECONDS} seconds:\n{said}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
