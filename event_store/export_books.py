"""How far a target is, and what was sent to it: written down in PostgreSQL before it is done elsewhere."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from psycopg import Connection

from attemptlog.event_store import export_sql as sql
from attemptlog.event_store.accesses import Looker, note_access
from attemptlog.event_store.errors import CannotRun, Superseded
from attemptlog.event_store.export_claim import told
from attemptlog.event_store.export_entries import BACKFILL, RESEND, WINDOW, Entry, Position, bounds_of, entry_of
from attemptlog.event_store.export_purges import PurgeBooks
from attemptlog.event_store.export_windows import Keys, count, has_older, next_keys, next_window, oldest_pending
from attemptlog.runtime.transactions import transaction
from attemptlog.schemas import new_event_id


class Books(PurgeBooks):
    """The books of one target, whose exporter has claimed it."""

    def position(self) -> Position:
        """Return how far the target is."""
        with self._transaction() as connection:
            [row] = connection.execute(sql.READ_POSITION, self._names()).fetchall()
        return Position._make(int(it) if isinstance(it, Decimal) else it for it in row)

    def open_batch(self) -> Entry | None:
        """Return the batch that is not committed; there is at most one."""
        with self._transaction() as connection:
            for row in connection.execute(sql.READ_OPEN, self._names()).fetchall():
                return entry_of(row)
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
        bounds = bounds_of(batch.selection)
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
        self._change(connection, sql.PLAN, id=entry.id, **bounds_of(entry.selection), **told)
        return entry


def note_export(database_url: str, looker: Looker) -> None:
    """Write down who exports everybody's data; raises as Books does."""
    with told():
        note_access(database_url, looker)


def note_failure(database_url: str, target: str, kind: str, error: str) -> None:
    """Write down why a target does not go on, also where its lock was not to be had; raises as Books does."""
    with told(), transaction(database_url) as connection:
        for statement in (sql.FAIL_TARGET, sql.FAIL_BATCH):
            connection.execute(statement.encode(), {"target": target, "kind": kind, "error": error})


def _new_id() -> UUID:
    return UUID(new_event_id())
