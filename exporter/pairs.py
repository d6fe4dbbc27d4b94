"""Persons in sessions: by these a target tells the rows that it is to forget from all others. Pure."""

from collections.abc import Callable, Iterable
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from attemptlog.exporter.rows import SCHEMA

PAIR = pa.schema([SCHEMA.field("user_id"), SCHEMA.field("session_id")])
PAIRS = PAIR.append(pa.field("rows", pa.int64()))
"""A person in a session, and how many rows they have."""

Pairs = Any
"""A pyarrow.Table of PAIRS, which has no types."""

Choose = Callable[[Pairs], Pairs]
"""Returns those of the pairs whose rows are to go."""

SEPARATOR = "\0"  # which no id has in it


def pairs_of(chunks: Iterable[Any]) -> Pairs:
    """Count the rows of every person in every session; `chunks` have the columns of PAIR, or more."""
    counted = [_counted(chunk) for chunk in chunks]
    if not counted:
        return PAIRS.empty_table()
    return pa.concat_tables(counted).group_by(PAIR.names).aggregate([("rows", "sum")]).rename_columns(PAIRS.names)


def are_of(rows: Any, pairs: Pairs) -> Any:
    """Return, row by row, whether it is of one of the pairs; `rows` have the columns of PAIR, or more."""
    return pc.is_in(_keys(rows), value_set=_keys(pairs))


def count(pairs: Pairs) -> int:
    """Return how many rows the pairs have."""
    return pc.sum(pairs.column("rows")).as_py() or 0


def _counted(chunk: Any) -> Pairs:
    rows = pa.Table.from_batches([chunk.select(PAIR.names)])
    return rows.group_by(PAIR.names).aggregate([([], "count_all")]).rename_columns(PAIRS.names)


def _keys(rows: Any) -> Any:
    return pc.binary_join_element_wise(rows.column("user_id"), rows.column("session_id"), SEPARATOR)
