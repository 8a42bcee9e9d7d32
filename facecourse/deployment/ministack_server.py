"""Run ministack, an emulator of AWS, for one notebook: it ends with the notebook, and its files go with it.

`cloud.LocalCloud` starts this file as a script, in a folder of its own and with ministack's settings in the environment.
"""

import os
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


def end_with_notebook(folder: Path) -> None:
    """End this process when the other end of its standard input closes: also when the kernel is killed."""
    sys.stdin.read()
    shutil.rmtree(folder, ignore_errors=True)
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    import ministack.app

    threading.Thread(target=end_with_notebook, args=[Path.cwd()], daemon=True).start()
    ministack.app.app = whole_bodies(ministack.app.app)
    sys.argv = ["ministack"]
    ministack.app.main()
