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


# Figures that CloudWatch draws and alarms on, out of the line of a request, by their units there.
METRICS = {
    "ms": "Milliseconds",
    "detect_ms": "Milliseconds",
    "embed_ms": "Milliseconds",
    "faces": "Count",
    "cold_start": "Count",
}

LOGGER = logging.getLogger("face_function")
LOGGER.setLevel(logging.INFO)
LOGGER.propagate = False  # Lambda's root logger would print every line again, with a prefix
LOGGER.handlers = [logging.StreamHandler(sys.stdout)]
LOGGER.handlers[0].setFormatter(JsonLines())


def log(event: str, level: int = logging.INFO, **fields) -> None:
    """Write one line about `event`; fields are JSON values, None is left out; never photos, names or addresses."""
    given = {name: value for name, value in fields.items() if value is not None}
    LOGGER.log(level, event, extra={"fields": given})


def metrics_of(fields: dict, namespace: str, function: str) -> dict:
    """Return what makes CloudWatch take figures from a line of the log: its embedded metric format; {} for no namespace."""
    named = [{"Name": name, "Unit": unit} for name, unit in METRICS.items() if fields.get(name) is not None]
    if not namespace or not named:
        return {}
    directive = {"Namespace": namespace, "Dimensions": [["function"]], "Metrics": named}
    # Without a dimension per route: each combination has a price.
    return {
        "function": function,
        "_aws": {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [directive]},
    }


def reason_of(error: Exception) -> str:
    """Return in one line what went wrong: the kind of error, and S3's own code if it has one."""
    response = getattr(error, "response", None)
    code = response.get("Error", {}).get("Code") if isinstance(response, dict) else None
    return f"{type(error).__name__}: {code or str(error)}"[:300]
