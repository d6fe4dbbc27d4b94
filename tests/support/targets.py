"""Every kind of target, and what tests do with one directly."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from attemptlog.exporter.rows import SCHEMA, DayTotal, signed
from attemptlog.exporter.target import Batch, Receipt, Target
from tests.support.export import Place, chunk_of, duckdb_place, parquet_place
from tests.support.fake_s3 import s3_place
from tests.support.fake_snowflake import snowflake_place
from tests.support.statements import statements_place, store_place

PLACES: dict[str, Callable[[Path], AbstractContextManager[Place]]] = {
    "parquet": parquet_place,
    "duckdb": duckdb_place,
    "s3": s3_place,
    "snowflake": snowflake_place,
    "statements": statements_place,
}


def place_named(request: pytest.FixtureRequest, directory: Path) -> AbstractContextManager[Place]:
    if request.param == "record_store":
        return store_place(directory, request.getfixturevalue("record_store"))
    return PLACES[request.param](directory)


def write(target: Target, rows: Sequence[dict[str, Any]], batch: Batch | None = None, schema: Any = SCHEMA) -> Receipt:
    """Write in two chunks."""
    half = len(rows) // 2
    parts = [rows[:half], rows[half:]]
    return target.write(batch or Batch(uuid4()), iter([chunk_of(part, schema) for part in parts if part]))


def by_id(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: row["id"])


def total(rows: Sequence[dict[str, Any]]) -> DayTotal:
    return DayTotal(len(rows), signed(sum(row["row_hash"] for row in rows)))
