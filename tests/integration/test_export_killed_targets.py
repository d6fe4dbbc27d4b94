"""kill -9 at any step, whatever the target: nothing is lost and nothing doubled."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.support.export import assert_equal, duckdb_file, kill_exports, read_duckdb_file, store
from tests.support.fake_s3 import fake_s3
from tests.support.fake_snowflake import fake_snowflake
from tests.support.http import insert_exam

KILLS = 6

Rows = Callable[[], list[dict[str, Any]]]


@contextmanager
def duckdb_target(directory: Path) -> Iterator[tuple[str, Rows]]:
    file = duckdb_file(directory)
    yield f"duckdb:{file}", lambda: read_duckdb_file(file)


@contextmanager
def s3_target(_: Path) -> Iterator[tuple[str, Rows]]:
    with fake_s3() as service:
        yield f"s3:{service.url.rpartition(':')[2]}/{service.bucket}", service.rows


@contextmanager
def snowflake_target(_: Path) -> Iterator[tuple[str, Rows]]:
    with fake_snowflake() as server:
        yield f"snowflake:{server.port}/{server.schema}", server.rows


@pytest.mark.parametrize("made", [duckdb_target, s3_target, snowflake_target])
def test_an_exporter_that_is_killed_at_any_step_loses_nothing_and_doubles_nothing(
    database_url: str, tmp_path: Path, made: Any
) -> None:
    exam = insert_exam(database_url)
    with psycopg.connect(database_url) as connection:
        store(connection, exam, 100)
    with made(tmp_path) as (place, rows):
        kill_exports(database_url, place, exam, seed=7, kills=KILLS)
        assert_equal(database_url, rows())
