"""Apache Kafka's jars: the ones listed in kafka_jars.lock, kept in the user's cache."""

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from attemptlog.local_stack.errors import writing_to

KAFKA_VERSION = "4.3.1"

LOCK = Path(__file__).with_name("kafka_jars.lock")


def cache_directory() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "attemptlog"


def kafka_jars() -> Path:
    """The directory that holds the jars; downloads them into the user's cache when they are not there.

    Safe when several processes ask at once. Raises LocalStackError when the cache is empty and there is no network.
    """
    locked = LOCK.read_text()
    cache = cache_directory()
    jars = cache / f"kafka-{KAFKA_VERSION}-{hashlib.sha256(locked.encode()).hexdigest()[:12]}"
    if not jars.exists():
        with writing_to(cache, "set XDG_CACHE_HOME to a directory that you can write to"), _exclusive(cache):
            if not jars.exists():
                from attemptlog.local_stack.kafka_download import download  # noqa: PLC0415 - once, and slow to import

                download(locked, jars)
    return jars


@contextmanager
def _exclusive(cache: Path) -> Iterator[None]:
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
