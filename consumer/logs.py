"""One JSON object a line: a sentence, and the data beside it."""

import logging
import time
from datetime import UTC, datetime

import orjson

OWN_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message", "taskName"}

REPEAT_INTERVAL = 10.0  # seconds


class JsonLines(logging.Formatter):
    """Formats a record as an object with time, level, logger, message and whatever `extra` held."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
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


class Unrepeated(logging.Filter):
    """Lets one line of a kind through in REPEAT_INTERVAL: while Kafka is away, aiokafka writes a hundred a second."""

    def __init__(self) -> None:
        super().__init__()
        self._next_at: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether to let the record through: always when it is not aiokafka's."""
        if not record.name.startswith("aiokafka"):
            return True
        kind, now = (record.name, str(record.msg)), time.monotonic()
        if now < self._next_at.get(kind, now):
            return False
        self._next_at[kind] = now + REPEAT_INTERVAL
        return True


def log_json_lines() -> None:
    """Log to standard error, unless the process has arranged its logging already."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines())
    handler.addFilter(Unrepeated())
    logging.getLogger("consumer.faststream").setLevel(logging.ERROR)  # it warns of what is meant to be so
    logging.basicConfig(level=logging.INFO, handlers=[handler])
