"""What is asked of operations: each is checked before the database hears of it."""

from typing import Annotated

from pydantic import BaseModel, Field

from attemptlog.schemas.events import EventType, Source
from attemptlog.schemas.fields import UUID_PATTERN

BIGGEST_ID = 2**63 - 1
MOST_LETTERS = 500  # of one request, which is one transaction

LetterId = Annotated[int, Field(ge=1, le=BIGGEST_ID)]


class ReplayWish(BaseModel):
    """The body of POST /api/operations/replays."""

    ids: Annotated[list[LetterId], Field(min_length=1, max_length=MOST_LETTERS)]
    apply: Annotated[bool, Field(strict=True)] = False


class LiveQuery(BaseModel):
    """The query of GET /api/operations/live."""

    after: Annotated[str | None, Field(pattern=r"^\d{1,19}$")] = None
    event_type: EventType | None = None
    source: Source | None = None
    exam: Annotated[str | None, Field(pattern=UUID_PATTERN)] = None
