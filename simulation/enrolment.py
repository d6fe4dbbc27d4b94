"""Puts a class into the platform's tables, as the platform would before an exam."""

from psycopg import AsyncConnection

from attemptlog.simulation.sitting import Roster

INSERT_USERS = """
INSERT INTO users (id)
SELECT DISTINCT unnest(%(users)s::uuid[])
ON CONFLICT DO NOTHING
"""

INSERT_EXAM = """
INSERT INTO exams (id)
VALUES (%(exam)s)
ON CONFLICT DO NOTHING
"""

INSERT_QUESTIONS = """
INSERT INTO questions (id)
SELECT unnest(%(questions)s::uuid[])
ON CONFLICT DO NOTHING
"""

INSERT_EXAM_QUESTIONS = """
INSERT INTO exam_questions (exam_id, question_id)
SELECT %(exam)s, unnest(%(questions)s::uuid[])
ON CONFLICT DO NOTHING
"""

INSERT_KEY = """
INSERT INTO answer_keys (exam_id, question_id, choice)
SELECT %(exam)s, question_id, choice
FROM unnest(%(keyed)s::uuid[], %(choices)s::integer[]) AS key (question_id, choice)
ON CONFLICT DO NOTHING
"""

INSERT_TITLE = """
INSERT INTO exam_titles (exam_id, title)
SELECT %(exam)s, %(title)s::text
WHERE %(title)s::text IS NOT NULL
ON CONFLICT DO NOTHING
"""

INSERT_ORDER = """
INSERT INTO question_titles (exam_id, question_id, position)
SELECT %(exam)s, question_id, position
FROM unnest(%(keyed)s::uuid[]) WITH ORDINALITY AS asked (question_id, position)
WHERE %(title)s::text IS NOT NULL
ON CONFLICT DO NOTHING
"""

INSERT_SESSIONS = """
INSERT INTO test_sessions (id, user_id, exam_id)
SELECT session_id, user_id, %(exam)s
FROM unnest(%(sessions)s::uuid[], %(users)s::uuid[]) AS sitting (session_id, user_id)
ON CONFLICT DO NOTHING
"""

EVERYTHING = (
    INSERT_USERS,
    INSERT_EXAM,
    INSERT_QUESTIONS,
    INSERT_EXAM_QUESTIONS,
    INSERT_KEY,
    INSERT_TITLE,
    INSERT_ORDER,
    INSERT_SESSIONS,
)


async def enrol(connection: AsyncConnection, roster: Roster) -> None:
    """Insert what of the class is not there yet: one exam, its questions, key and names, the users, their sessions."""
    rows = {
        "exam": roster.exam_id,
        "title": roster.title,
        "questions": sorted(roster.question_ids),
        "sessions": list(roster.sessions),
        "users": list(roster.sessions.values()),
        "keyed": list(roster.key),
        "choices": list(roster.key.values()),
    }
    async with connection.transaction():
        for statement in EVERYTHING:
            await connection.execute(statement, rows)
