"""All that is held about a person: what a subject access request asks for, read as of one moment."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any
from uuid import UUID

from psycopg import Connection, IsolationLevel
from psycopg.rows import dict_row

from attemptlog.event_store import person_sql as sql
from attemptlog.event_store.accesses import Looker, require_key
from attemptlog.event_store.dead_letters import TableRow
from attemptlog.runtime.pseudonyms import Pseudonyms
from attemptlog.runtime.transactions import transaction

EVENTS_AT_A_TIME = 1_000  # that are fetched; a payload has 8 KiB at most
LETTERS_AT_A_TIME = 20  # that are fetched; a record may have a megabyte


@dataclass(frozen=True)
class Person:
    """What the tables hold about one person, in a transaction that sees them as of one moment.

    What there may be many of is an iterator, which has to be read to its end, or given up, before the next is begun.
    `pseudonyms` may be None as long as nobody was ever purged.
    """

    connection: Connection[Any]
    user_id: UUID
    looker: Looker
    pseudonyms: Pseudonyms | None
    made_at: datetime

    @cached_property
    def sessions(self) -> list[TableRow]:
        """Each session with how many of the person's events are stored of it, the earliest first."""
        return self.connection.execute(sql.SELECT_SESSIONS, {"user": self.user_id}).fetchall()

    @cached_property
    def is_suppressed(self) -> bool:
        """Whether nothing of the person is stored any more."""
        return bool(self._rows(sql.IS_SUPPRESSED)[0]["exists"])

    def events(self, session_id: str) -> Iterator[str]:
        """Yield the events of a session as JSON, each column by its name, in the order in which they happened."""
        for row in self._stream(sql.SELECT_EVENTS, EVENTS_AT_A_TIME, session=session_id):
            yield row["event"]

    def dead_letters(self) -> Iterator[TableRow]:
        """Yield the letters that are of the person or their sessions, or name one of these.

        Of one that another person sent, only that it is there: the rest is that person's.
        """
        for row in self._stream(sql.SELECT_LETTERS, LETTERS_AT_A_TIME):
            yield row if row["user_id"] in (None, str(self.user_id)) else _withheld(row)

    def replays(self) -> list[TableRow]:
        """Return the replays of dead letters for which somebody has named the person or a session."""
        return self._rows(sql.SELECT_REPLAYS)

    def exports(self) -> list[TableRow]:
        """Return the targets, and how many of the person's rows each has by its watermark."""
        return self._rows(sql.SELECT_EXPORTS)

    def purges(self) -> list[TableRow]:
        """Return what was purged and lifted of the person or a session."""
        return self._rows(sql.SELECT_PURGES)

    def accesses(self) -> Iterator[TableRow]:
        """Yield who opened the person's data or a session's."""
        return self._stream(sql.SELECT_ACCESSES, EVENTS_AT_A_TIME)

    def accesses_to_all(self) -> list[TableRow]:
        """Return who opened or exported everybody's data, the same command of the same person in one row."""
        return self._rows(sql.SELECT_ACCESSES_TO_ALL)

    @cached_property
    def _names(self) -> dict[str, Any]:
        """The parameters of the statements. A session that is somebody else's by now is not looked for."""
        sessions = [UUID(row["session_id"]) for row in self.sessions if not row["is_of_another"]]
        ids = [self.user_id, *sessions]
        found: dict[str, Any] = {"user": self.user_id, "sessions": sessions, "ids": ids}
        found["patterns"] = [f"%{each.hex}%" for each in ids]
        found["pseudonyms"] = []
        if self.pseudonyms:
            of_sessions = [self.pseudonyms.of_session(str(each).encode()) for each in sessions]
            found["pseudonyms"] = [self.pseudonyms.of_user(str(self.user_id).encode()), *of_sessions]
        return found | {"pseudonym": next(iter(found["pseudonyms"]), None)}

    def _rows(self, statement: str) -> list[TableRow]:
        return self.connection.execute(statement.encode(), self._names).fetchall()

    def _stream(self, statement: str, at_a_time: int, **values: Any) -> Iterator[TableRow]:
        with self.connection.cursor("person") as cursor:
            cursor.itersize = at_a_time
            yield from cursor.execute(statement.encode(), self._names | values)


@contextmanager
def reading_person(database_url: str, user_id: UUID, looker: Looker, pseudonyms: Pseudonyms | None) -> Iterator[Person]:
    """Lend what is held about a person; who looks has to be written down before.

    Raises OperatorError where somebody was purged under another key than ours.
    """
    with transaction(database_url, isolation=IsolationLevel.REPEATABLE_READ, row_factory=dict_row) as connection:
        require_key(connection, pseudonyms)
        yield Person(connection, user_id, looker, pseudonyms, datetime.now(UTC))


def _withheld(row: TableRow) -> TableRow:
    of_another = dict.fromkeys(("detail", "user_id", "key", "value"))
    return row | of_another | {"is_of_another": True}
