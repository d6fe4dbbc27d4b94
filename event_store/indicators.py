"""What the events say of a session and of an exam: figures, each with the reason where it cannot be known."""

from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from psycopg import IsolationLevel
from psycopg.rows import dict_row, tuple_row

from attemptlog.event_store.dead_letters import TableRow
from attemptlog.event_store.figures import SELECT_FRESHNESS, Freshness
from attemptlog.event_store.viewing import AS_AUDITOR
from attemptlog.runtime.errors import OperatorError
from attemptlog.runtime.transactions import transaction

SELECT_SESSION = "SELECT * FROM session_indicators WHERE session_id = %(session)s"

SELECT_QUESTIONS = """
SELECT *
FROM session_questions
WHERE session_id = %(session)s
ORDER BY question_id
"""

SELECT_EXAM = "SELECT EXISTS (SELECT FROM test_sessions WHERE exam_id = %(exam)s)"

SELECT_SESSIONS_OF_EXAM = """
SELECT i.*, e.questions AS effort_questions, e.effort, e.reason AS effort_reason
FROM exam_session_indicators(%(exam)s) AS i
LEFT JOIN exam_effort(%(exam)s) AS e ON e.session_id = i.session_id
ORDER BY i.began_at, i.session_id
"""

SELECT_QUESTIONS_OF_EXAM = "SELECT * FROM exam_question_indicators(%(exam)s) ORDER BY question_id"

SELECT_NAVIGATION = "SELECT * FROM exam_navigation(%(exam)s) ORDER BY moves DESC, from_question_id, to_question_id"


@dataclass(frozen=True, slots=True)
class SessionFigures:
    """A row of session_indicators, and those of its questions."""

    session: TableRow
    questions: list[TableRow]

    def as_data(self) -> dict[str, Any]:
        """Return all of it for JSON."""
        return _plain(self.session) | {"questions": [_plain(row) for row in self.questions]}


@dataclass(frozen=True, slots=True)
class ExamFigures:
    """What is said of an exam; `sessions` are those that have events, and figures."""

    exam_id: str
    freshness: Freshness
    sessions: list[TableRow]
    questions: list[TableRow]
    navigation: list[TableRow]

    @property
    def complete(self) -> int:
        """How many of the logs are complete."""
        return sum(row["is_complete"] for row in self.sessions)

    @property
    def completion(self) -> Counter[str]:
        """How many sessions were submitted, expired, are open or unknown."""
        return Counter(row["completion"] for row in self.sessions)

    def as_data(self) -> dict[str, Any]:
        """Return all of it for JSON."""
        coverage = {"sessions": len(self.sessions), "complete": self.complete}
        parts = {"by_question": self.questions, "by_session": self.sessions, "navigation": self.navigation}
        tables = {name: [_plain(row) for row in rows] for name, rows in parts.items()}
        fresh = self.freshness._asdict()
        return {"exam_id": self.exam_id} | fresh | coverage | {"completion": self.completion} | tables


def read_session_figures(database_url: str, session_id: UUID) -> SessionFigures:
    """Return what is said of a session; raise OperatorError when no event of it is stored."""
    which = {"session": session_id}
    with transaction(database_url, row_factory=dict_row) as connection:
        session = connection.execute(SELECT_SESSION, which).fetchone()
        questions = connection.execute(SELECT_QUESTIONS, which).fetchall()
    if session is None:
        raise OperatorError(f"No event of a session {session_id} is stored: check the id.")
    return SessionFigures(session, questions)


def read_exam_figures(database_url: str, exam_id: UUID) -> ExamFigures:
    """Return what is said of an exam, by what has been worked out; raise OperatorError when it has no session."""
    which = {"exam": exam_id}
    snapshot = IsolationLevel.REPEATABLE_READ
    with transaction(database_url, isolation=snapshot, row_factory=dict_row) as connection:
        found = connection.execute(SELECT_EXAM, which).fetchone()
        if not found or not found["exists"]:
            raise OperatorError(f"No session of an exam {exam_id} is in test_sessions: check the id.")
        connection.execute(AS_AUDITOR)
        freshness = connection.cursor(row_factory=tuple_row).execute(SELECT_FRESHNESS, which).fetchall()
        sessions = connection.execute(SELECT_SESSIONS_OF_EXAM, which).fetchall()
        questions = connection.execute(SELECT_QUESTIONS_OF_EXAM, which).fetchall()
        navigation = connection.execute(SELECT_NAVIGATION, which).fetchall()
    return ExamFigures(str(exam_id), Freshness(*freshness[0]), sessions, questions, navigation)


def _plain(row: TableRow) -> dict[str, Any]:
    return {name: _number(value) for name, value in row.items()}


def _number(value: Any) -> Any:
    """Return a Decimal as the int or the float that it is; JSON's integers have 64 bits here."""
    if not isinstance(value, Decimal):
        return value
    is_whole = value == value.to_integral_value() and abs(value) < 2**53
    return int(value) if is_whole else float(value)
