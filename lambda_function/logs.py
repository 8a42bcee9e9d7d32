"""One line of JSON per thing that happened, without photos, names of people, or addresses."""

import json
import logging
import sys
import time


class JsonLines(logging.Formatter):
    """Time, level, event, and the fields that `log` was given."""

    converter = time.gmtime

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line of JSON."""
        line = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%SZ"),
            "level": record.levelname,
            "event": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        return json.dumps(line, separators=(",", ":"))


LOGGER = logging.getLogger("face_function")
LOGGER.setLevel(logging.INFO)
LOGGER.propagate = False  # Lambda's root logger would print every line again, with a prefix
LOGGER.handlers = [logging.StreamHandler(sys.stdout)]
LOGGER.handlers[0].setFormatter(JsonLines())


def log(event: str, level: int = logging.INFO, **fields) -> None:
    """Write one line about `event`; fields are JSON values, None is left out; never photos, names or addresses."""
    given = {name: value for name, value in fields.items() if value is not None}
    LOGGER.log(level, event, extra={"fields": given})
