"""`python -m tests.support.killed_exports URL DIRECTORY SEED KILLS NAMES`: exports that die at any step and instant.

A step is a line of the exporter's or the event store's code, so that every instant between two of what they do has its
turn; an instant is a time, so that what they call has. Every attempt is a process of its own, forked so that none has
to import anything; when KILLS have died, one exports to the end. DIRECTORY is a Parquet directory, or KIND:PLACE for
another target; the environment says which place is meant by `xapi:`.
"""

import random
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psycopg

from attemptlog.event_store.errors import Occupied
from attemptlog.exporter.duckdb import DuckDBFile
from attemptlog.exporter.errors import TransientError
from attemptlog.exporter.parquet import ParquetDirectory
from attemptlog.exporter.s3 import S3
from attemptlog.exporter.snowflake import Snowflake
from attemptlog.exporter.target import Target
from attemptlog.exporter.xapi import from_environment, target_of
from tests.support.eventually import PATIENCE
from tests.support.export import export, store
from tests.support.fake_s3 import FakeS3
from tests.support.fake_snowflake import FakeSnowflake
from tests.support.http import Exam
from tests.support.killed_processes import run
from tests.support.statements import settings_of

FOLDERS = ("/exporter/", "/event_store/export")


def snowflake(place: str) -> Target:
    """PORT/SCHEMA. What was killed leaves a session, which Snowflake ends by itself after a while."""
    port, _, schema = place.partition("/")
    server = FakeSnowflake(int(port), schema)
    server.abort_detached()
    return Snowflake(server.settings())


MAKERS: dict[str, Callable[[str], Target]] = {
    "parquet": lambda place: ParquetDirectory(Path(place)),
    "duckdb": lambda place: DuckDBFile(Path(place)),
    "s3": lambda place: S3(FakeS3(f"http://127.0.0.1:{place.partition('/')[0]}", place.partition("/")[2]).settings()),
    "snowflake": snowflake,
    "statements": lambda place: target_of(settings_of(Path(place))),
    "xapi": lambda _: from_environment(),
}
BATCH_ROWS = 40


def target_at(place: str) -> Target:
    """Make the target at KIND:PLACE, or at a Parquet directory."""
    kind, _, where = place.rpartition(":")
    return MAKERS[kind or "parquet"](where)


def main(url: str, place: str, seed: str, kills: str, *names: str) -> None:
    """Run; `names` are the user, the session and the question of the events."""
    user, session, question = names
    dice, exam = random.Random(int(seed)), Exam(user, session, "", question)  # noqa: S311
    began = time.monotonic()
    lines = exported(url, place)
    seconds, killed = time.monotonic() - began, 0
    while killed < int(kills):
        with psycopg.connect(url) as connection:
            for _ in range(dice.randint(1, 3)):
                store(connection, exam, dice.randint(1, 50))
                connection.commit()
        while exported(url, place, dice.choice([dice.randint(1, lines), dice.uniform(0.001, seconds)])) == -1:
            killed += 1
            if dice.random() < 0.5:
                break
    exported(url, place)


def exported(url: str, place: str, end: float | None = None) -> int:
    """Export in a process of its own; see `run`."""
    return run(lambda: export_when_free(url, place), FOLDERS, end)


def export_when_free(url: str, place: str) -> None:
    """Export, and again where a service would: what whoever was killed has asked for last may come late."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            export(url, target_at(place), BATCH_ROWS)
            return
        except (Occupied, TransientError):
            if time.monotonic() > deadline:
                raise


if __name__ == "__main__":
    main(*sys.argv[1:])
