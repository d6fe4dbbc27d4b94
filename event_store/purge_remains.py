"""Where something of a purge may be left, and until when. Pure."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

DONE, PENDING, KEPT, UNTIL, UNKNOWN = "done", "pending", "kept", "until", "unknown"

RETENTION = "retention"

# 90 days of Time Travel at most (Enterprise Edition), and 7 of Fail-safe.
SNOWFLAKES_LONGEST = timedelta(days=97)

FREED = "what was freed is written over in time; a VACUUM FULL, and the end of the write-ahead log's archive, end it"
BEHIND_TARGETS = {
    "s3": "a bucket with versioning keeps the objects from before: let noncurrent versions expire by a lifecycle rule",
    "snowflake": "Time Travel (DATA_RETENTION_TIME_IN_DAYS of the table, 90 at most), and Fail-safe 7 days more",
    "xapi": "statements that a record store has taken cannot be deleted by the standard: ask whoever runs it",
}


class Place(NamedTuple):
    """A place: `state` is DONE or PENDING, KEPT where it stays on purpose, UNTIL or UNKNOWN where nobody reaches it.

    `when` is since when it is done, or by when it is gone.
    """

    name: str
    state: str
    when: datetime | None = None
    rows: int | None = None
    note: str = ""


class Stay(NamedTuple):
    """How long a record stays in Kafka at most; no `longest` where nobody knows, or nothing ends it, as `note` says."""

    longest: timedelta | None
    note: str


Done = tuple[datetime, int | None] | None  # since when, and how many rows went: no number where nothing can


def places(purge: Mapping[str, Any], targets: Mapping[str, Done], kafka: Stay, backup_days: int | None) -> list[Place]:
    """Return all places; `targets` are by name."""
    found = [_tables(purge)]
    for name, done in targets.items():
        found += _target(purge, name, done)
    return [*found, *_elsewhere(purge, kafka, backup_days)]


def _tables(purge: Mapping[str, Any]) -> Place:
    finished = purge["finished_at"]
    return Place("PostgreSQL", DONE if finished else PENDING, finished, note="" if finished else "run it again")


def _target(purge: Mapping[str, Any], name: str, done: Done) -> Iterator[Place]:
    if purge["keeps_exports"]:
        yield Place(name, KEPT, note="exported rows stay, as --keep-exports asked for")
        return
    yield _in_target(name, done)
    if name in BEHIND_TARGETS:
        until = done[0] + SNOWFLAKES_LONGEST if done and name == "snowflake" else None
        yield Place(f"{name}, behind it", UNTIL if until else UNKNOWN, until, note=BEHIND_TARGETS[name])


def _in_target(name: str, done: Done) -> Place:
    if done is None:
        return Place(name, PENDING, note=f"its exporter does it: attemptlog export run --target {name} --once")
    since, rows = done
    if rows is None:
        return Place(name, UNKNOWN, since, note="it cannot delete what it has")
    return Place(name, DONE, since, rows)


def _elsewhere(purge: Mapping[str, Any], kafka: Stay, backup_days: int | None) -> Iterator[Place]:
    begun, finished = purge["started_at"], purge["finished_at"]
    gone = begun + kafka.longest if kafka.longest is not None else None
    yield Place("Kafka", UNTIL if gone else UNKNOWN, gone, note=kafka.note)
    if backup_days is None:
        yield Place("backups", UNKNOWN, note="ATTEMPTLOG_BACKUP_RETENTION is not set: say how many days yours are kept")
    else:
        gone = finished + timedelta(days=backup_days) if finished else None
        yield Place("backups", UNTIL if gone else PENDING, gone, note=f"kept for {backup_days} days")
    yield Place("PostgreSQL's free space and log", UNKNOWN, note=FREED)
