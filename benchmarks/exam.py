"""How long an exam's page and a session's wait for their figures in a large table, and what working one out takes."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any, LiteralString
from uuid import UUID

import psycopg

from attemptlog.event_store.figures import bring_up_to_date
from benchmarks.figures import Figure, Target, in_rounds
from benchmarks.stage import Stage

SESSIONS = 1_000  # at most
REPEATS = 7  # of which the first reads what is not in memory yet, and the middle is told
SHOWN = 20  # sessions

AUDITOR = "-c attemptlog.viewer_role=auditor"  # what is said of exams is said to those who say who looks

# The class is larger than the exam that is promised something about.
LEAVE = """
UPDATE test_sessions
SET exam_id = NULL
WHERE exam_id = %(exam)s
    AND id NOT IN (SELECT id FROM test_sessions WHERE exam_id = %(exam)s ORDER BY id LIMIT %(sessions)s)
"""
SELECT_SESSIONS = "SELECT id FROM test_sessions WHERE exam_id = %(exam)s ORDER BY id LIMIT %(sessions)s"

OF_EXAM: tuple[LiteralString, ...] = (
    "SELECT * FROM exam_session_indicators(%(exam)s)",
    "SELECT * FROM exam_question_indicators(%(exam)s)",
    "SELECT * FROM exam_navigation(%(exam)s)",
    "SELECT * FROM exam_freshness(%(exam)s)",
)
OF_SESSION: tuple[LiteralString, ...] = (
    "SELECT * FROM session_timeline WHERE session_id = %(session)s",
    "SELECT * FROM session_indicators WHERE session_id = %(session)s",
    "SELECT * FROM session_questions WHERE session_id = %(session)s",
)


def measure(stage: Stage, database: str, exam_id: str) -> list[Figure]:
    """Return the rows of an exam and of a session, from a database in which the exam was sat."""
    which = {"exam": UUID(exam_id), "sessions": SESSIONS}
    with psycopg.connect(database, autocommit=True, options=AUDITOR) as connection:
        connection.execute(LEAVE, which)
        connection.execute("VACUUM ANALYZE test_sessions")
        sessions = len(connection.execute(SELECT_SESSIONS, which).fetchall())
        stage.say(f"working out {sessions:,} sessions …")
        started = time.monotonic()
        worked_out = asyncio.run(bring_up_to_date(database, lambda _: None, UUID(exam_id)))
        each = (time.monotonic() - started) / max(worked_out, 1)
        exam = [_ms(connection, OF_EXAM, which) for _ in range(REPEATS)]
        shown = connection.execute(SELECT_SESSIONS, which | {"sessions": SHOWN}).fetchall()
        session = [max(_ms(connection, [query], {"session": id_}) for query in OF_SESSION) for (id_,) in shown]
        [[rows]] = connection.execute("SELECT count(*) FROM exam_session_indicators(%s)", [exam_id]).fetchall()
    wrong = () if rows == sessions else (f"{rows:,} sessions of {sessions:,} have figures",)
    million = f"{stage.scale.large_table / 1e6:.0f} million rows"
    return [
        in_rounds(f"figures of an exam of {sessions:,} among {million}", exam, "ms", Target("≤", 300), wrong=wrong),
        in_rounds(f"figures of a session among {million}", session, "ms", Target("≤", 100), wrong=wrong),
        Figure("a session's figures are worked out in", each * 1000, "ms", Target("≤", 100), None, wrong),
    ]


def _ms(connection: psycopg.Connection[Any], queries: Sequence[LiteralString], which: Mapping[str, Any]) -> float:
    started = time.monotonic()
    for query in queries:
        connection.execute(query, which).fetchall()
    return 1000 * (time.monotonic() - started)
