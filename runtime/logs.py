"""One JSON object a line: a sentence, and the data beside it."""

import logging
import logging.config
import re
import time
import traceback
from datetime import UTC, datetime
from typing import Any

import orjson

OWN_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message", "taskName"}

REPEAT_INTERVAL = 10.0  # seconds

LEVELS = {
    "aiokafka": "NOTSET",  # the command line silences it for its other commands
    "aiokafka.conn": "INFO",  # its debug lines hold whole requests and answers: events, and the password for PLAIN
    "httpx": "WARNING",  # below it they write the URL of the key set, which may hold a password
    "httpcore": "WARNING",
    "opentelemetry.util.re": "ERROR",  # of OTEL_EXPORTER_OTLP_HEADERS that it cannot read, it shows the value
    "attemptlog.consumer.faststream": "ERROR",  # it warns of what is meant to be so
}

# How a part of a traceback begins that is no error's message; the signs are the margin of a group's.
FRAME = re.compile(r"[\s|+-]*(File \"|Traceback|The above|During)")


class JsonLines(logging.Formatter):
    """Formats a record as an object with time, level, logger, message and whatever `extra` held."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **{name: value for name, value in vars(record).items() if name not in OWN_FIELDS},
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return orjson.dumps(line, default=str, option=orjson.OPT_NON_STR_KEYS).decode()

    def formatException(self, ei: Any) -> str:  # noqa: N802 - the name is logging's
        """Return the traceback; of each message the first line only, for PostgreSQL and pydantic go on with values."""
        return "".join(map(_first_line_of_message, traceback.TracebackException(*ei).format())).rstrip()


def _first_line_of_message(part: str) -> str:
    return part if FRAME.match(part) else first_line(part) + "\n"


def first_line(error: object) -> str:
    """Return the first line of an error's message, which is the one that quotes no row."""
    return str(error).partition("\n")[0]


class Unrepeated(logging.Filter):
    """Lets one line of a kind through in REPEAT_INTERVAL: while Kafka is away, aiokafka writes a hundred a second.

    OpenTelemetry does as much while its collector is away.
    """

    def __init__(self) -> None:
        super().__init__()
        self._next_at: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether to let the record through: always when it is none of these two's."""
        if not record.name.startswith(("aiokafka", "opentelemetry")):
            return True
        kind, now = (record.name, str(record.msg)), time.monotonic()
        if now < self._next_at.get(kind, now):
            return False
        self._next_at[kind] = now + REPEAT_INTERVAL
        return True


def log_config(level: str) -> dict[str, Any]:
    """Return the configuration of logging to standard error, from `level` on, as the standard library takes it.

    Whatever the level, no line holds a payload, a token or a password: see LEVELS.
    """
    handler = {"class": "logging.StreamHandler", "formatter": "json_lines", "filters": ["unrepeated"]}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json_lines": {"()": JsonLines}},
        "filters": {"unrepeated": {"()": Unrepeated}},
        "handlers": {"standard_error": handler},
        "root": {"level": level, "handlers": ["standard_error"]},
        "loggers": {name: {"level": least} for name, least in LEVELS.items()},
    }


def log_json_lines(level: str) -> None:
    """Log to standard error, unless the process has arranged its logging already."""
    if not logging.getLogger().handlers:
        logging.config.dictConfig(log_config(level))
