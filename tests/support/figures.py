"""What is kept of figures, beside what the views say."""

from typing import Any, LiteralString

import psycopg

# Rows that are in one of the two only.
DIFFERENCES: dict[str, LiteralString] = {
    "sessions": """
        SELECT to_jsonb(i) FROM session_indicators AS i
        {but_not}
        SELECT to_jsonb(f) - 'as_of' FROM readable_session_figures AS f
    """,
    "questions": """
        SELECT to_jsonb(q) FROM session_questions AS q
        {but_not}
        SELECT to_jsonb(f) FROM readable_question_figures AS f
    """,
    "moves": """
        SELECT session_id, exam_id, question_id, next_question_id, count(*)
        FROM (
            SELECT v.session_id, s.exam_id, v.question_id,
                lead(v.question_id) OVER (PARTITION BY v.session_id ORDER BY v.visit) AS next_question_id
            FROM session_visits AS v
            JOIN session_logs AS l ON l.session_id = v.session_id
            JOIN test_sessions AS s ON s.id = v.session_id
            WHERE l.reason IS NULL
        ) AS moves
        WHERE next_question_id <> question_id
        GROUP BY session_id, exam_id, question_id, next_question_id
        {but_not}
        SELECT session_id, exam_id, from_question_id, to_question_id, moves FROM readable_session_moves
    """,
}


def differences(connection: psycopg.Connection[Any]) -> dict[str, int]:
    """Count the rows that are kept and not said by the views, or the other way round."""
    return {name: _count(connection, query) for name, query in DIFFERENCES.items()}


def _count(connection: psycopg.Connection[Any], query: LiteralString) -> int:
    both = query.split("{but_not}")
    sides = [f"({' EXCEPT '.join(order)})" for order in (both, both[::-1])]
    cursor = connection.cursor(row_factory=psycopg.rows.tuple_row)
    [[count]] = cursor.execute(f"SELECT count(*) FROM ({' UNION ALL '.join(sides)}) AS different".encode()).fetchall()  # noqa: S608
    return int(count)


SAME = dict.fromkeys(DIFFERENCES, 0)


def refresh(connection: psycopg.Connection[Any], most: int = 1000) -> tuple[int, int, bool] | None:
    """Bring figures up to date by one call; None where another is at it."""
    cursor = connection.cursor(row_factory=psycopg.rows.tuple_row)
    return cursor.execute("SELECT worked_out, due, is_caught_up FROM refresh_figures(%s)", [most]).fetchone()


def refresh_all(connection: psycopg.Connection[Any], most: int = 1000) -> None:
    """Bring them up to date with all that is committed and behind no open transaction."""
    while not (done := refresh(connection, most)) or not (done[2] and done[1] == 0):
        pass
