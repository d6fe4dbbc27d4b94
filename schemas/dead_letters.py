"""Why a record is a dead letter, and what may become of one."""

from enum import StrEnum


class DeadLetterReason(StrEnum):
    """Why a record of the topic is not in attempt_events."""

    UNDECODABLE = "undecodable"
    UNKNOWN_SESSION = "unknown_session"
    SESSION_NOT_OWNED = "session_not_owned"
    QUESTION_NOT_IN_SESSION = "question_not_in_session"
    UNKNOWN_QUESTION = "unknown_question"
    SEQ_CONFLICT = "seq_conflict"
    REJECTED_BY_DATABASE = "rejected_by_database"


INSERTED, DUPLICATE = "inserted", "duplicate"
STORED = (INSERTED, DUPLICATE)
"""The outcomes of a replay after which a letter is settled: its event is stored."""

SUPPRESSED = "suppressed"
"""The outcome for a letter of somebody whose events are not stored; any other outcome is a DeadLetterReason."""
