"""How far a target is, and what was sent to it: written down in PostgreSQL before it is done elsewhere."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NamedTuple, Self
from uuid import UUID

import psycopg
from psycopg import Connection, IsolationLevel

from attemptlog.event_store import export_sql as sql
from attemptlog.event_store.database import describe, is_operators, is_transient
from attemptlog.event_store.errors import CannotRun, Occupied, StoreUnavailable, Superseded
from attemptlog.event_store.export_windows import (
    Keys,
    Selection,
    Window,
    count,
    has_older,
    next_keys,
    next_window,
    oldest_pending,
)
from attemptlog.runtime.errors import OperatorError
from attemptlog.runtime.grants import EXAMINE, Finding, faults, needs, row_security
from attemptlog.runtime.postgres import SURVEY, Survey, conninfo, pin, unfit, wrong_pooling
from attemptlog.runtime.transactions import transaction
from attemptlog.schemas import new_event_id

# A network that drops everything without a word has to end as an error too. What the URL says goes first.
CONNECTION_DEFAULTS: dict[str, Any] = {
    "application_name": "attemptlog-exporter",
    "connect_timeout": 5,  # seconds
    "keepalives_idle": 10,  # seconds
    "keepalives_interval": 5,  # seconds
    "keepalives_count": 3,
}

WINDOW, BACKFILL, RESEND = "window", "backfill", "resend"


class Position(NamedTuple):
    """How far a target is, and whether that still means something here: a row of READ_POSITION."""

    horizon: int
    backfill_below: int
    backfill_after: UUID | None
    is_backfilled: bool
    accepted_latest: UUID | None
    is_same_server: bool
    xmin: int
    xmax: int
    max_xid: int

    @property
    def objection(self) -> str | None:
        """Why the transactions in the books cannot be those of this server; None where nothing speaks against it."""
        if not self.is_same_server:
            return "the books were begun on another server (its system_identifier differs), a copy of which this is"
        if self.horizon > self.xmax:
            return f"transaction {self.horizon} is exported and this server is at {self.xmax}: it was restored"
        if self.max_xid >= max(self.xmax, self.backfill_below):
            return f"there are events of transaction {self.max_xid} and this server is at {self.xmax}: it was restored"
        return None


@dataclass(frozen=True, slots=True)
class Entry:
    """A batch in the books; `rows` and `checksum` are known once all of it was handed over to the target."""

    id: UUID
    kind: str
    selection: Selection
    repeats: bool
    until: datetime
    planned_rows: int
    rows: int | None = None
    checksum: int | None = None
    state: str = "planned"
    attempts: int = 0


class Books:
    """The books of one target, on a connection that holds the target's lock while `with` lasts.

    Every method may raise StoreUnavailable, CannotRun for what an operator has to mend, and Superseded.
    """

    def __init__(self, database_url: str, target: str) -> None:
        self.conninfo = conninfo(database_url, **CONNECTION_DEFAULTS)
        self.pin = ""
        self.fence = 0
        self._target = target

    def __enter__(self) -> Self:
        with _told():
            self._connection = psycopg.connect(self.conninfo, autocommit=True, prepare_threshold=None)
        try:
            with _told():
                self._examine()
                self._claim()
        except BaseException:
            self._connection.close()
            raise
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._connection.close()

    def position(self) -> Position:
        """Return how far the target is."""
        with self._transaction() as connection:
            [row] = connection.execute(sql.READ_POSITION, self._names()).fetchall()
        return Position._make(int(it) if isinstance(it, Decimal) else it for it in row)

    def open_batch(self) -> Entry | None:
        """Return the batch that is not committed; there is at most one."""
        with self._transaction() as connection:
            for row in connection.execute(sql.READ_OPEN, self._names()).fetchall():
                return _entry_of(row)
        return None

    def last_batch(self) -> UUID | None:
        """Return the batch that was committed last, since the last resync."""
        with self._transaction() as connection:
            for (batch,) in connection.execute(sql.READ_LAST, self._names()).fetchall():
                return UUID(str(batch))
        return None

    def knows(self, batch_id: UUID) -> bool:
        """Say whether the batch is one of these books."""
        with self._transaction() as connection:
            return connection.execute(sql.IS_KNOWN, self._names(id=batch_id)).fetchall() == [(True,)]

    def plan(self, rows: int) -> Entry | None:
        """Write the next batch of about so many rows down, and return it; None when everything is exported."""
        at = self.position()
        with self._transaction() as connection:
            if not at.is_backfilled:
                if (entry := self._plan_backfill(connection, at, rows)) is not None:
                    return entry
                self._change(connection, sql.FINISH_BACKFILL)
            return self._plan_window(connection, at, rows)

    def plan_resend(self, since: datetime, after: UUID | None, rows: int) -> Entry | None:
        """Write a batch of rows down that were exported before, from `since` on and after an id; None when done."""
        at = self.position()
        if not at.is_backfilled:
            raise CannotRun("events from before are still being exported: send again when that is finished")
        with self._transaction() as connection:
            found = next_keys(connection, Keys(at.horizon, after, None, since), rows)
            if found is None:
                return None
            keys, number = found
            return self._write(connection, Entry(_new_id(), RESEND, keys, True, datetime.now(UTC), number))

    def begin_attempt(self, batch: Entry) -> Entry:
        """Count the batch's rows anew (of a purged person there are none any more), and one more attempt."""
        with self._transaction() as connection:
            rows = count(connection, batch.selection) if batch.attempts else batch.planned_rows
            cursor = connection.execute(sql.BEGIN_ATTEMPT, self._names(id=batch.id, rows=rows))
            for (attempts,) in cursor.fetchall():
                return replace(batch, planned_rows=rows, attempts=attempts, state="planned")
        raise Superseded(f"another exporter has taken {self._target} over")

    def mark_sent(self, batch: Entry, rows: int, checksum: int) -> Entry:
        """Write down what was handed over, before the target commits it."""
        with self._transaction() as connection:
            self._change(connection, sql.MARK_SENT, id=batch.id, rows=rows, checksum=checksum)
        return replace(batch, rows=rows, checksum=checksum, state="sent")

    def commit(self, batch: Entry, rows: int, checksum: int, size: int) -> None:
        """Write down that the target has committed, and move on past the batch."""
        bounds = _bounds(batch.selection)
        place = {name: bounds[name] for name in ("upper", "last")}
        with self._transaction() as connection:
            self._change(connection, sql.ADVANCE, kind=batch.kind, until=batch.until, **place)
            self._change(connection, sql.COMMIT_BATCH, id=batch.id, rows=rows, checksum=checksum, size=size)

    def resync(self, latest: UUID | None) -> None:
        """Begin anew: every row is sent once more, and the target keeps one of each; `latest` is accepted as its last.

        What is in transactions from here on comes in windows. Where rows are of transactions that this server has not
        reached, windows up to these are sent as repeats.
        """
        at = self.position()
        below = at.xmin if at.max_xid < at.xmax else at.max_xid + 1
        with self._transaction() as connection:
            self._change(connection, sql.RESYNC, horizon=str(at.xmin), below=str(below), latest=latest)
            connection.execute(sql.ABANDON, self._names())

    def _plan_backfill(self, connection: Connection[Any], at: Position, rows: int) -> Entry | None:
        if at.backfill_below == 0 and not has_older(connection):
            return None
        found = next_keys(connection, Keys(at.backfill_below, at.backfill_after), rows)
        if found is None:
            return None
        keys, number = found
        entry = Entry(_new_id(), BACKFILL, keys, at.backfill_below > 0, datetime.now(UTC), number)
        return self._write(connection, entry)

    def _plan_window(self, connection: Connection[Any], at: Position, rows: int) -> Entry | None:
        now = datetime.now(UTC)
        window, number = next_window(connection, at.horizon, rows)
        until = oldest_pending(connection, window.upper) or now
        if number == 0:
            self._change(connection, sql.REST, until=until)
            return None
        repeats = window.lower < at.backfill_below
        return self._write(connection, Entry(_new_id(), WINDOW, window, repeats, until, number))

    def _write(self, connection: Connection[Any], entry: Entry) -> Entry:
        told = {"kind": entry.kind, "repeats": entry.repeats, "until": entry.until, "rows": entry.planned_rows}
        self._change(connection, sql.PLAN, id=entry.id, **_bounds(entry.selection), **told)
        return entry

    def _change(self, connection: Connection[Any], statement: str, **values: Any) -> None:
        if connection.execute(statement.encode(), self._names(**values)).rowcount == 0:
            raise Superseded(f"another exporter has taken {self._target} over")

    def _names(self, **values: Any) -> Mapping[str, Any]:
        return {"target": self._target, "fence": self.fence, **values}

    @contextmanager
    def _transaction(self) -> Iterator[Connection[Any]]:
        with _told(), self._connection.transaction():
            self._connection.execute(self.pin.encode())
            yield self._connection

    def _examine(self) -> None:
        connection = self._connection
        connection.isolation_level = IsolationLevel.READ_COMMITTED
        connection.read_only = False
        with connection.transaction():
            [survey] = map(Survey._make, connection.execute(SURVEY).fetchall())
            connection.execute(pin(survey))
            cursor = connection.execute(EXAMINE, needs(sql.GRANTS, [survey.role]))
            findings = [Finding(*row) for row in cursor.fetchall()]
        if wrong := [fault] if (fault := unfit(survey)) else faults(findings):
            raise CannotRun("; ".join(wrong))
        self.pin = pin(survey, row_security(findings)).as_string(connection)

    def _claim(self) -> None:
        with self._transaction() as connection:
            if connection.execute(sql.TRY_LOCK, self._names()).fetchall() != [(True,)]:
                raise Occupied(f"another exporter is at work on {self._target}")
            connection.execute(sql.ENTER_TARGET, self._names())
            [(self.fence,)] = connection.execute(sql.CLAIM, self._names()).fetchall()


def note_failure(database_url: str, target: str, kind: str, error: str) -> None:
    """Write down why a target does not go on, also where its lock was not to be had; raises as Books does."""
    with _told(), transaction(database_url) as connection:
        for statement in (sql.FAIL_TARGET, sql.FAIL_BATCH):
            connection.execute(statement.encode(), {"target": target, "kind": kind, "error": error})


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except OperatorError as error:
        raise CannotRun(str(error)) from error
    except psycopg.Error as error:
        if fault := wrong_pooling(error):
            raise CannotRun(fault) from error
        if is_operators(error):
            raise CannotRun(f"PostgreSQL refuses: {describe(error)}; `attemptlog doctor` looks why") from error
        if is_transient(error):
            raise StoreUnavailable(describe(error)) from error
        raise


def _entry_of(row: tuple[Any, ...]) -> Entry:
    name, kind, lower, upper, after, last, since, *rest = row
    selection = Window(int(lower), int(upper)) if kind == WINDOW else Keys(int(upper), after, last, since)
    return Entry(name, kind, selection, *rest)


def _bounds(selection: Selection) -> dict[str, Any]:
    match selection:
        case Window(lower, upper):
            return {"lower": str(lower), "upper": str(upper), "after": None, "last": None, "since": None}
        case Keys(below, after, last, since):
            return {"lower": "0", "upper": str(below), "after": after, "last": last, "since": since}


def _new_id() -> UUID:
    return UUID(new_event_id())
