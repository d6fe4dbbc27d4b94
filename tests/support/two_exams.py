"""Two exams with sessions, figures, titles and groups, and a login that only reads; for those who ask who sees what."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any
from uuid import UUID

import psycopg

from attemptlog.simulation.candidate import roster_of, sittings_of
from attemptlog.simulation.enrolment import enrol
from attemptlog.simulation.sitting import Roster, Sitting
from tests.support.sat import COPY, rows_of
from tests.support.secured import login
from tests.support.services import temporary_database, with_database

CANDIDATES = 12
ROSTER = replace(roster_of(CANDIDATES, "console"), title=None)
OTHER = replace(roster_of(2, "another exam"), title=None)
THIRD = replace(roster_of(2, "an exam of which not all is stored"), title=None)
CLASS, OTHERS = list(sittings_of(CANDIDATES, "console")), list(sittings_of(2, "another exam"))
TORN = list(sittings_of(2, "an exam of which not all is stored"))

GROUP, TITLE, SECOND = "Room 1", "An exam of the tests", "=SUM(A1)"


@dataclass(frozen=True)
class TwoExams:
    """`url` is the owner's, `reader` that of a login in attemptlog_reader."""

    url: str
    reader: str

    def rows(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Return what the owner reads."""
        with psycopg.connect(self.url) as connection:
            return connection.execute(statement.encode(), values).fetchall()

    def run(self, statement: str, *values: Any) -> None:
        """Have the owner do something."""
        with psycopg.connect(self.url) as connection:
            connection.execute(statement.encode(), values)


@contextmanager
def two_exams(postgres_url: str, template: str) -> Iterator[TwoExams]:
    """Yield a database of their own."""
    with temporary_database(postgres_url, template=template) as name:
        url = with_database(postgres_url, name)
        asyncio.run(_enrol(url, ROSTER, OTHER, THIRD))
        with psycopg.connect(url) as connection:
            store(connection, [*CLASS, *OTHERS])
            _tear(connection)
            _name(connection)
            connection.execute("SELECT refresh_figures(1000)")
            connection.execute("ANALYZE")
        yield TwoExams(url, login(url, "attemptlog_reader", "secret"))


def store(connection: psycopg.Connection[Any], sittings: Sequence[Sitting], first: int = 1) -> None:
    """Store what was sat; ids of events begin with `first`."""
    rows = chain.from_iterable(rows_of(sitting) for sitting in sittings)
    with connection.cursor() as cursor, cursor.copy(COPY) as copy:
        for number, row in enumerate(rows, first):
            copy.write_row((UUID(int=number), 1, *row))


def _tear(connection: psycopg.Connection[Any]) -> None:
    """Of one session two events are missing and one could not be read; of the other, only one came, and could not."""
    rows = rows_of(TORN[0])
    with connection.cursor() as cursor, cursor.copy(COPY) as copy:
        for number, row in enumerate(rows[:20] + rows[22:], 100_000):
            copy.write_row((UUID(int=number), 1, *row))
    for offset, sitting in enumerate(TORN):
        connection.execute(
            "INSERT INTO dead_letters (topic, partition, kafka_offset, reason, session_id, user_id) "
            "VALUES ('events', 0, %s, 'undecodable', %s, %s)",
            [offset, sitting.session_id, sitting.user_id],
        )


async def _enrol(url: str, *rosters: Roster) -> None:
    async with await psycopg.AsyncConnection.connect(url) as connection:
        for roster in rosters:
            await enrol(connection, roster)


def _name(connection: psycopg.Connection[Any]) -> None:
    connection.execute(
        "INSERT INTO exam_titles VALUES (%s, %s), (%s, %s)", [ROSTER.exam_id, TITLE, OTHER.exam_id, SECOND]
    )
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO question_titles VALUES (%s, %s, %s, %s)",
            [
                (ROSTER.exam_id, id_, place, f"Question {place}")
                for place, id_ in enumerate(sorted(ROSTER.question_ids), 1)
            ],
        )
        cursor.executemany(
            "INSERT INTO candidate_groups VALUES (%s, %s, %s)",
            [(ROSTER.exam_id, sitting.user_id, GROUP) for sitting in CLASS[:4]],
        )
