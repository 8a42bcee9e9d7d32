"""One line of JSON per thing that happened, without photos, names of people, or addresses."""

import json
import logging
import sys
import time


class _CurrentStdout(logging.StreamHandler):
    """Write to whatever sys.stdout is now: Lambda's runtime replaces it after import."""

    def __init__(self):
        logging.Handler.__init__(self)

    @property
    def stream(self):
        return sys.stdout


LOGGER = logging.getLogger("face_function")
LOGGER.setLevel(logging.INFO)
LOGGER.propagate = False  # Lambda's root logger would print every line again, with a prefix
if not LOGGER.handlers:
    LOGGER.addHandler(_CurrentStdout())


def log(event: str, level: int = logging.INFO, **fields) -> None:
    """Write one structured line.

    Parameters
    ----------
    event : str
        What happened: "request", "model_loaded", "model_failed", ...
    level : int
        As in `logging`.
    **fields
        JSON values; None is left out. Never photos, names of the recognised, or callers' addresses.
    """
    line = {
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "level": logging.getLevelName(level),
        "event": event,
        **{name: value for name, value in fields.items() if value is not None},
    }
    LOGGER.log(level, "%s", json.dumps(line, separators=(",", ":")))
