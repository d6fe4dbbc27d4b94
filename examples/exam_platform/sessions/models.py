"""The JSON of the HTTP API."""

from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StringConstraints, model_validator

from examples.exam_platform.sessions.rows import State

MAX_NAME_CHARS = 80
MAX_CHOICE = 99  # no question has more choices; which ones it has is checked with the question

Name = Annotated[
    str,
    # no control characters: PostgreSQL cannot keep U+0000, and nobody is called a line break
    StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_NAME_CHARS, pattern=r"^\P{Cc}+$"),
]


class Body(BaseModel):
    """What a page sends: nothing but the fields named."""

    model_config = ConfigDict(extra="forbid")


class LoginBody(Body):
    """A guest gives a name."""

    name: Name


class BeginBody(Body):
    """The exam to sit."""

    exam_id: UUID


class AnswerBody(Body):
    """What changed about one question; what is absent or null stays as it is."""

    question_id: UUID
    choice: Annotated[int | None, Field(strict=True, ge=0, le=MAX_CHOICE)] = None
    marked: StrictBool | None = None

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        if self.choice is None and self.marked is None:
            raise ValueError("give choice or marked")
        return self


class Candidate(BaseModel):
    """Who is logged in."""

    user_id: UUID
    name: str


class Config(BaseModel):
    """What a page has to know before it can begin."""

    telemetry_url: str
    has_console: bool


class Exam(BaseModel):
    """An exam that can be sat, for `seconds` at most."""

    id: UUID
    title: str
    items: int
    seconds: int


class ExamTitle(BaseModel):
    """The exam of a session."""

    id: UUID
    title: str


class Question(BaseModel):
    """A question as the candidate sees it."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    pos: int
    text: str
    choices: list[str]
    choice: int | None
    marked: bool


class Session(BaseModel):
    """A session with its questions."""

    id: UUID
    exam: ExamTitle
    state: State
    expires_at: datetime
    server_now: datetime
    questions: list[Question]


class Answer(BaseModel):
    """A question's answer as it is kept now."""

    question_id: UUID
    choice: int | None
    marked: bool


class Submitted(BaseModel):
    """The session is handed in."""

    state: State = "submitted"
    answered: int


class ReviewedQuestion(Question):
    """A question looked back on; `correct` is null while the session is open."""

    correct: int | None


class Review(BaseModel):
    """All questions at a glance; `score` is null while the session is open."""

    state: State
    answered: int
    marked: int
    items: int
    score: int | None
    questions: list[ReviewedQuestion]


class Event(BaseModel):
    """A row of attempt_events; `stored_after_ms` from the server's receipt to the commit."""

    id: UUID
    seq: int | None
    event_type: str
    question_id: UUID | None
    event_ts: datetime
    client_ts: datetime | None
    source: str | None
    payload: dict[str, Any]
    stored_after_ms: int


class Events(BaseModel):
    """How many there are, and the newest of them, the last stored first."""

    total: int
    events: list[Event]
