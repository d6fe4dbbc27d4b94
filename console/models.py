"""What the API says, field by field as the pages read it (pages/src/api/types.ts): a test compares the two."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from attemptlog.event_store.viewing import Role

Completion = Literal["submitted", "expired", "open", "unknown"]
ChangeKind = Literal["WR", "RW", "WW", "RR"]


class Told(BaseModel):
    """What is said in JSON: rows have more columns than are told."""

    model_config = ConfigDict(extra="ignore", from_attributes=True)


class Me(Told):
    """GET /api/me."""

    user_id: str
    role: Role
    exams: list[str]
    platform_url: str | None


class ExamInList(Told):
    """An item of GET /api/exams."""

    exam_id: str
    title: str | None
    sessions: int
    last_event_at: datetime | None


class Freshness(Told):
    """How late the figures of an exam are."""

    as_of: datetime | None
    due: int


class Coverage(Told):
    """How many logs the figures are of."""

    sessions: int
    complete: int
    reasons: dict[str, int]


class ExamQuestion(Told):
    """What is said of a question."""

    question_id: str
    position: int
    title: str | None
    viewed: int
    mean_visits: float | None
    times: int
    mean_ms: float | None
    median_ms: float | None
    rapid_below_ms: float | None
    rapid: int | None
    rapid_reason: str | None
    marked: int
    facility: float | None
    discrimination: float | None
    efficiency: float | None
    marks_reason: str | None
    changed: int
    wrong_to_right: int
    right_to_wrong: int
    wrong_to_wrong: int
    right_to_right: int


class Move(Told):
    """How often one question followed another."""

    from_question_id: str
    to_question_id: str
    moves: int
    sessions: int


class EffortOfExam(Told):
    """Of how many sessions the response-time effort is known, and how many are below."""

    known: int
    below_090: int


class Exam(Told):
    """GET /api/exams/{exam_id}."""

    exam_id: str
    title: str | None
    freshness: Freshness
    groups: list[str]
    coverage: Coverage
    completion: dict[Completion, int]
    questions: list[ExamQuestion]
    navigation: list[Move]
    times: list[float]
    effort: EffortOfExam


class SessionInList(Told):
    """A session behind a figure."""

    session_id: str
    user_id: str
    began_at: datetime | None
    completion: Completion
    time_ms: float | None
    time_reason: str | None
    marks: float | None
    marks_reason: str | None
    answered: int | None
    answers_reason: str | None
    absences: int | None
    absences_reason: str | None
    effort: float | None
    effort_reason: str | None
    is_complete: bool
    log_reason: str | None


class SessionPage(Told):
    """GET /api/exams/{exam_id}/sessions."""

    total: int
    sessions: list[SessionInList]
    next: str | None


class AttemptSummary(Told):
    """What is said of a session."""

    completion: Completion
    is_complete: bool
    log_reason: str | None
    events: int
    lost: int
    dead_letters: int
    dropped: int
    began_at: datetime | None
    ended_at: datetime | None
    last_at: datetime | None
    time_ms: float | None
    time_reason: str | None
    first_action_ms: float | None
    first_action_reason: str | None
    actions: int | None
    actions_reason: str | None
    visits: int | None
    revisits: int | None
    visits_reason: str | None
    absences: int | None
    absences_known_ms: float | None
    absences_of_unknown_length: int | None
    absences_reason: str | None
    answered: int | None
    changes: int | None
    answers_reason: str | None
    marks: float | None
    marks_reason: str | None


class AttemptQuestion(Told):
    """What is said of a question in a session."""

    question_id: str
    position: int | None
    title: str | None
    visits: int | None
    visits_reason: str | None
    dwell_ms: float | None
    dwell_reason: str | None
    present_ms: float | None
    present_reason: str | None
    first_choice: float | None
    last_choice: float | None
    changes: int | None
    change_kind: ChangeKind | None
    mark: float | None
    mark_reason: str | None
    answers_reason: str | None


class Absence(Told):
    """From a page's loss of the candidate to their return."""

    stream_id: str | None
    left_at: datetime | None
    back_at: datetime | None
    state: Literal["open", "over", "begun_elsewhere"]
    in_another_tab: bool
    away_ms: float | None
    reason: str | None


class TimelineLine(Told):
    """An event, numbers that are missing, a dead letter, or what a page says it dropped."""

    kind: Literal["event", "gap", "dead letter", "drop"]
    at: datetime | None
    late_by_ms: float | None
    origin: Literal["page", "service"] | None
    event_type: str | None
    question_id: str | None
    stream_id: str | None
    run: int | None
    seq: int | None
    last_seq: int | None
    event_ts: datetime | None
    client_ts: datetime | None
    reason: str | None
    outcome: str | None
    count: int | None
    detail: dict[str, Any] | None


class Verdict(Told):
    """What the audit says of the session's log."""

    is_complete: bool
    stored: int
    lost: int
    dead_letters: int
    dropped: int
    sentences: list[str]


class Attempt(Told):
    """GET /api/sessions/{session_id}."""

    session_id: str
    user_id: str
    exam_id: str | None
    exam_title: str | None
    read_at: datetime
    summary: AttemptSummary
    questions: list[AttemptQuestion]
    absences: list[Absence]
    lines: list[TimelineLine]
    more_lines: int
    verdict: Verdict


class Access(Told):
    """Who looked at whose data."""

    at: datetime
    by: str
    command: str
    reason: str | None
    subject_kind: str
    subject: str | None
    is_pseudonym: bool


class AccessPage(Told):
    """GET /api/accesses."""

    accesses: list[Access]
    next: str | None
