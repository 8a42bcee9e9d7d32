"""Run ministack, an emulator of AWS, for one notebook: it ends with the notebook, and its files go with it.

`cloud.LocalCloud` starts this file as a script, in a folder of its own and with ministack's settings in the environment.
"""

import json
import os
import re
import shutil
import signal
import sys
import threading
from pathlib import Path


def whole_bodies(app):
    """Wrap an ASGI application so that it receives each request's body in one piece.

    ministack joins pieces by copying all earlier ones each time: a minute for a model.
    """

    async def wrapped(scope, receive, send):
        async def whole():
            pieces, more = [], True
            while more:
                message = await receive()
                pieces.append(message.get("body", b""))
                more = message.get("more_body", False)
            return {**message, "body": b"".join(pieces)}

        await app(scope, whole if scope["type"] == "http" else receive, send)

    return wrapped


def guarded(app, port: int, account: str):
    """Wrap an ASGI application so that only the notebook that started it, and a function's own page, reach it.

    ministack checks no signature, lets every web page ask, and runs code: without this, any page that is open in the
    reader's browser could. Refused with 403 are another Host than 127.0.0.1 and `port` (a name that resolves here), an
    Origin or Sec-Fetch-Site from elsewhere, and requests that are not signed as `account`, twelve digits drawn at each
    start. Unsigned ones reach a Function URL, which decides for itself, and the health check.
    """
    own = f"127.0.0.1:{port}"

    def refused(scope) -> bool:
        if scope["type"] == "websocket":
            return True
        headers: dict[str, list[str]] = {}
        for name, value in scope["headers"]:
            headers.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
        foreign = (
            headers.get("host", []) != [own]
            or set(headers.get("origin", [])) - {f"http://{own}"}
            or set(headers.get("sec-fetch-site", [])) - {"same-origin", "none"}
        )
        credential = re.compile(rf"\b(X-Amz-)?Credential={account}(/|%2F)")
        signed = [*headers.get("authorization", []), scope["query_string"].decode("latin-1")]
        known = any(credential.search(text) for text in signed)
        open_to_all = scope["path"] == "/_ministack/health" or (
            scope["path"].startswith("/_aws/lambda-url/") and "authorization" not in headers
        )
        return bool(foreign) or not (known or open_to_all)

    async def wrapped(scope, receive, send):
        if scope["type"] == "lifespan" or not refused(scope):
            return await app(scope, receive, send)
        if scope["type"] == "websocket":
            return await send({"type": "websocket.close", "code": 1008})
        body = json.dumps({"Message": "Forbidden"}).encode()
        plain = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 403, "headers": plain})
        return await send({"type": "http.response.body", "body": body})

    return wrapped


def publish_updates(handlers: dict, functions: dict) -> None:
    """Let a stack's update of a function publish a version and move its aliases there, as SAM has AWS do.

    ministack drops versions and aliases with the function of before.
    """
    create = handlers["AWS::Lambda::Function"]["create"]

    def update(name: str, before: dict, properties: dict, stack: str) -> tuple:
        old, made = functions[name], create(name, properties, stack)
        new, number = functions[made[0]], str(old["next_version"])
        version = {"config": {**new["config"], "Version": number}, "code_zip": new["code_zip"]}
        new["versions"] = {**old["versions"], number: version}
        new["aliases"] = {alias: {**of, "FunctionVersion": number} for alias, of in old["aliases"].items()}
        new["next_version"], new["policy"] = old["next_version"] + 1, old["policy"]
        return made

    handlers["AWS::Lambda::Function"]["update"] = update


def end_with_notebook(folder: Path) -> None:
    """End this process when the other end of its standard input closes: also when the kernel is killed."""
    sys.stdin.read()
    shutil.rmtree(folder, ignore_errors=True)
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    import ministack.app
    from ministack.services import lambda_svc
    from ministack.services.cloudformation import provisioners

    publish_updates(provisioners._RESOURCE_HANDLERS, lambda_svc._functions)
    threading.Thread(target=end_with_notebook, args=[Path.cwd()], daemon=True).start()
    port, account = int(os.environ["GATEWAY_PORT"]), os.environ["AWS_ACCESS_KEY_ID"]
    ministack.app.app = guarded(whole_bodies(ministack.app.app), port, account)
    sys.argv = ["ministack"]
    ministack.app.main()
