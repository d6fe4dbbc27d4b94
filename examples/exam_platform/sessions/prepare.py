"""Makes the platform's tables, its role and its exam. Doing it again changes nothing."""

from pathlib import Path

import psycopg

from examples.exam_platform.sessions.exam import DURATION, EXAM_ID, QUESTIONS, TITLE, Question, question_id

TABLES = Path(__file__).with_name("tables.sql")

# Two that run at the same time would both find nothing there. Any number will do that nobody else uses.
ONE_AT_A_TIME = "SELECT pg_advisory_xact_lock(7_205_910_461)"

ADD_EXAM = """
WITH
    known AS (INSERT INTO public.exams (id) VALUES (%(exam_id)s) ON CONFLICT DO NOTHING),
    named AS (
        INSERT INTO public.exam_titles (exam_id, title)
        VALUES (%(exam_id)s, %(title)s)
        ON CONFLICT DO NOTHING
    )
INSERT INTO exam_platform.exams (exam_id, title, seconds)
VALUES (%(exam_id)s, %(title)s, %(seconds)s)
ON CONFLICT DO NOTHING
"""

ADD_QUESTION = """
WITH
    known AS (INSERT INTO public.questions (id) VALUES (%(question_id)s) ON CONFLICT DO NOTHING),
    asked AS (
        INSERT INTO public.exam_questions (exam_id, question_id)
        VALUES (%(exam_id)s, %(question_id)s)
        ON CONFLICT DO NOTHING
    ),
    told AS (
        INSERT INTO public.answer_keys (exam_id, question_id, choice)
        VALUES (%(exam_id)s, %(question_id)s, %(correct)s)
        ON CONFLICT DO NOTHING
    ),
    named AS (
        INSERT INTO public.question_titles (exam_id, question_id, position, title)
        VALUES (%(exam_id)s, %(question_id)s, %(pos)s, %(text)s)
        ON CONFLICT DO NOTHING
    )
INSERT INTO exam_platform.questions (exam_id, question_id, pos, text, choices, correct)
VALUES (%(exam_id)s, %(question_id)s, %(pos)s, %(text)s, %(choices)s, %(correct)s)
ON CONFLICT DO NOTHING
"""


def prepare(database_url: str) -> None:
    """Bring a database that `attemptlog migrate` has prepared to what the service needs, as the owner of its tables."""
    with psycopg.connect(database_url, client_encoding="UTF8") as connection:  # that of the file with the tables
        connection.execute(ONE_AT_A_TIME)
        connection.execute(TABLES.read_bytes())
        connection.execute(ADD_EXAM, {"exam_id": EXAM_ID, "title": TITLE, "seconds": int(DURATION.total_seconds())})
        for pos, question in enumerate(QUESTIONS, 1):
            connection.execute(ADD_QUESTION, _values(pos, question))


def _values(pos: int, question: Question) -> dict[str, object]:
    return {
        "exam_id": EXAM_ID,
        "question_id": question_id(pos),
        "pos": pos,
        "text": question.text,
        "choices": list(question.choices),
        "correct": question.correct,
    }
