"""Rows of a Snowflake table that are to go."""

from collections.abc import Iterator

import pyarrow as pa

from attemptlog.exporter import snowflake_sql as sql
from attemptlog.exporter.pairs import PAIRS, Choose, Pairs
from attemptlog.exporter.snowflake_ledger import hold
from attemptlog.exporter.snowflake_session import Session

PAIRS_AT_A_TIME = 500  # two parameters each; Snowflake takes lists of some ten thousand


def forget(session: Session, fence: int, choose: Choose) -> None:
    """Delete the rows of whom `choose` picks, all of them in one transaction, and what an interrupted load has left."""
    chosen = [choose(pairs) for pairs in _pairs(session)]
    with session.transaction():
        hold(session, fence)
        session.run(sql.CLEAR)
        for some in _parts(pa.concat_tables([PAIRS.empty_table(), *chosen])):
            session.run(sql.delete(some.num_rows), *_ids(some))


def _pairs(session: Session) -> Iterator[Pairs]:
    for table in session.tables(sql.PAIRS):
        yield table.rename_columns(PAIRS.names).cast(PAIRS)


def _parts(pairs: Pairs) -> Iterator[Pairs]:
    for start in range(0, pairs.num_rows, PAIRS_AT_A_TIME):
        yield pairs.slice(start, PAIRS_AT_A_TIME)


def _ids(pairs: Pairs) -> list[str]:
    return [each for row in pairs.to_pylist() for each in (row["user_id"], row["session_id"])]
