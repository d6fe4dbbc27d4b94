"""What is held about a person, in words for that person."""

from collections.abc import Mapping
from typing import Any

from attemptlog.event_store.purge_remains import PENDING, UNKNOWN
from attemptlog.schemas.dead_letters import STORED

EVENTS: Mapping[str, str] = {
    "SESSION_CREATED": "The attempt began",
    "SESSION_SUBMITTED": "The exam was handed in",
    "SESSION_EXPIRED": "The time was up",
    "REVIEW_OPENED": "The overview before handing in was opened",
    "QUESTION_VIEWED": "A question was on the screen",
    "NAVIGATE_NEXT": "On to the next question",
    "NAVIGATE_PREV": "Back to the question before",
    "NAVIGATE_JUMP": "To another question",
    "ANSWER_SELECTED": "An answer was chosen",
    "ANSWER_CHANGED": "The answer was changed",
    "MARK_FOR_REVIEW_TOGGLED": "A mark for review was set or taken away",
    "PAUSE_BLUR": "The page was left, or come back to",
}

# By key of a payload. What is not here stands under the key itself.
DETAILS: Mapping[str, str] = {
    "pos": "question number",
    "from_pos": "from question number",
    "to_pos": "to question number",
    "dwell_ms": "on the screen before, in milliseconds",
    "choice": "choice, counted from 0",
    "prev_choice": "choice before, counted from 0",
    "marked": "marked",
    "items": "questions",
    "answered": "answered questions",
    "state": "state",
    "away_ms": "away for, in milliseconds",
}

REASONS: Mapping[str, str] = {
    "undecodable": "It could not be read as an event.",
    "unknown_session": "Its session was not known.",
    "session_not_owned": "Its session was not of whoever sent it.",
    "question_not_in_session": "Its question was not one of the exam.",
    "unknown_question": "Its question was not known.",
    "seq_conflict": "Another event with the same number was stored before.",
    "rejected_by_database": "The database did not take it.",
}

PURGES: Mapping[str, str] = {
    "purge": "Erased, and nothing stored from then on",
    "lift": "Stored again from then on",
    "retention": "Erased because of its age",
}

STILL: Mapping[str, str] = {
    PENDING: "it erases with its next export",
    UNKNOWN: "it cannot erase what it has",
}

SUPPRESSED: Mapping[bool, str] = {
    True: "No: this person was purged, and what comes in is not stored.",
    False: "Yes.",
}

SOURCES: Mapping[str | None, str] = {"web": "a web page", "mobile": "a mobile app", "api": "a service"}

ELSEWHERE = (
    "The queue between the gateway and the database (Kafka) keeps a copy of every event until the topic's retention "
    "is over: seven days, unless it was set otherwise.",
    "Backups of the database and of the targets hold what these held when they were made.",
    "Names, mail addresses, exams and results are in the platform's own tables, not here.",
)


def details(payload: Any) -> list[tuple[str, str]]:
    """Return what a payload says, as names and values."""
    if not isinstance(payload, Mapping):
        return [("content", str(payload))]
    return [(DETAILS.get(name, name), _said(value)) for name, value in payload.items()]


def reason(row: Mapping[str, Any]) -> str:
    """Return why a dead letter was not stored, and whether it was later."""
    later = " It was stored later." if row["replay_outcome"] in STORED else ""
    return REASONS[row["reason"]] + later


def _said(value: Any) -> str:
    match value:
        case True:
            return "yes"
        case False:
            return "no"
        case None:
            return "nothing"
    return str(value)
