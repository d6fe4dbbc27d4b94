"""What is read of a session, in the service's own terms; `models.py` has what goes out."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

State = Literal["open", "submitted", "expired"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """A candidate's session, as it was at `server_now`."""

    id: UUID
    exam_id: UUID
    title: str
    state: State
    expires_at: datetime
    server_now: datetime
    answered: int
    marked: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A question of a session, with the candidate's answer and the right one."""

    id: UUID
    pos: int
    text: str
    choices: list[str]
    correct: int
    choice: int | None
    marked: bool
