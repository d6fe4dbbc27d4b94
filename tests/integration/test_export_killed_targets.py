"""kill -9 at any step, whatever the target: nothing is lost and nothing doubled."""

from pathlib import Path

import psycopg
import pytest

from tests.support.export import assert_equal, kill_exports, store
from tests.support.http import insert_exam
from tests.support.targets import PLACES

KILLS = 6


@pytest.mark.parametrize("kind", ["duckdb", "s3", "snowflake"])
def test_an_exporter_that_is_killed_at_any_step_loses_nothing_and_doubles_nothing(
    database_url: str, tmp_path: Path, kind: str
) -> None:
    exam = insert_exam(database_url)
    with psycopg.connect(database_url) as connection:
        store(connection, exam, 100)
    with PLACES[kind](tmp_path) as place:
        kill_exports(database_url, place.address, exam, seed=7, kills=KILLS)
        assert_equal(database_url, place.rows())
