"""What the books of an export hold: how far a target is, and batches."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from attemptlog.event_store.export_windows import Keys, Selection, Window

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


def entry_of(row: tuple[Any, ...]) -> Entry:
    """Return the batch of a row of READ_OPEN."""
    name, kind, lower, upper, after, last, since, *rest = row
    selection = Window(int(lower), int(upper)) if kind == WINDOW else Keys(int(upper), after, last, since)
    return Entry(name, kind, selection, *rest)


def bounds_of(selection: Selection) -> dict[str, Any]:
    """Return the parameters of the books' statements that say which rows are selected."""
    match selection:
        case Window(lower, upper):
            return {"lower": str(lower), "upper": str(upper), "after": None, "last": None, "since": None}
        case Keys(below, after, last, since):
            return {"lower": "0", "upper": str(below), "after": after, "last": last, "since": since}
