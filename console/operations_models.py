"""What the API says of operations, field by field as the pages read it (pages/src/api/types.ts): a test compares."""

from datetime import datetime

from pydantic import BaseModel


class Reached(BaseModel):
    """Whether something is reached, and else why not; `as_of` is the last look that reached it."""

    is_reached: bool
    detail: str | None
    as_of: datetime | None


class Scraped(Reached):
    """A gateway's metrics."""

    url: str


class PartitionLag(BaseModel):
    """A partition of the topic."""

    partition: int
    end: int
    next_offset: int | None
    lag: int | None
    consumer: str | None


class Rejected(BaseModel):
    """Events that gateways rejected with a code."""

    code: str
    events: int
    per_s: float | None


class LetterCounts(BaseModel):
    """Dead letters by state."""

    open: int
    settled: int


class Operations(BaseModel):
    """GET /api/operations."""

    at: datetime
    topic: str
    events_in_per_s: float | None
    events_stored_per_s: float | None
    last_event_at: datetime | None
    stored_late_by_s: float | None
    partitions: list[PartitionLag]
    rejected: list[Rejected]
    dead_letters: LetterCounts | None
    gateways: list[Scraped]
    kafka: Reached
    database: Reached


class DeadLetterInList(BaseModel):
    """A dead letter without what is in it."""

    id: int
    reason: str
    detail: str | None
    topic: str
    partition: int
    record_offset: int
    first_seen_at: datetime
    event_type: str | None
    outcome: str | None
    replayed_at: datetime | None


class DeadLetter(DeadLetterInList):
    """GET /api/operations/dead-letters/{id}; `value` is for an auditor only."""

    shape: dict[str, str] | None
    expected: dict[str, str]
    faults: list[str]
    value: str | None


class DeadLetterPage(BaseModel):
    """GET /api/operations/dead-letters."""

    total: int
    by_reason: dict[str, int]
    letters: list[DeadLetterInList]
    next: str | None


class ReplayOutcome(BaseModel):
    """What became of one letter, or would."""

    id: int
    outcome: str
    detail: str | None


class ReplayReply(BaseModel):
    """The answer to POST /api/operations/replays."""

    applied: bool
    outcomes: list[ReplayOutcome]
    by_outcome: dict[str, int]


class LiveEvent(BaseModel):
    """An event as it is stored; no person is in it."""

    id: str
    event_type: str
    source: str | None
    exam_id: str | None
    event_ts: datetime
    stored_at: datetime


class LivePage(BaseModel):
    """GET /api/operations/live."""

    cursor: str
    events: list[LiveEvent]
    skipped: int
    is_more_skipped: bool
    late_by_s: float | None


class Audit(BaseModel):
    """GET and POST /api/operations/audit."""

    at: datetime
    agrees: bool
    records: int
    inserted: int
    duplicates: int
    dead_lettered: int
    suppressed: int
    pending: int
    problems: list[str]
