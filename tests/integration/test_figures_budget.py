"""What is read for an exam, a session or a refresh is that exam's, session's or refresh's, however much there is."""

from collections.abc import Iterator
from typing import Any, LiteralString
from uuid import UUID

import psycopg
import pytest
from psycopg.rows import tuple_row

from tests.support.figures import refresh_all
from tests.support.oldest_postgres import on_every_postgres

pytestmark = on_every_postgres

EXAM, OTHERS, SESSION = UUID(int=1), UUID(int=2), UUID(int=0x100)
SESSIONS, FEW, MANY = 30, 600, 3000

PARENTS: LiteralString = """
    INSERT INTO exams VALUES ('00000000-0000-0000-0000-000000000001'), ('00000000-0000-0000-0000-000000000002');
    INSERT INTO users (id) VALUES ('00000000-0000-0000-0000-000000000003');
    INSERT INTO questions SELECT lpad(n::text, 32, '0')::uuid FROM generate_series(10, 19) AS n;
    INSERT INTO exam_questions SELECT exams.id, questions.id FROM exams, questions;
    INSERT INTO answer_keys SELECT exams.id, questions.id, 1 FROM exams, questions;
"""

ADD: LiteralString = """
    WITH sessions AS (
        INSERT INTO test_sessions (id, user_id, exam_id)
        SELECT lpad(to_hex(n), 32, '0')::uuid, '00000000-0000-0000-0000-000000000003', %(exam)s
        FROM generate_series(%(first)s::bigint, %(last)s) AS n
        RETURNING id, user_id
    )
    INSERT INTO attempt_events (
        id, event_version, event_type, event_ts, client_ts, seq, stream_id, session_id, user_id, question_id,
        payload_json
    )
    SELECT
        gen_random_uuid(), 1, (ARRAY['QUESTION_VIEWED', 'ANSWER_SELECTED', 'NAVIGATE_NEXT'])[seq %% 3 + 1],
        now() + seq * interval '1 s', now() + seq * interval '1 s', seq + 1, s.id, s.id, user_id,
        lpad((10 + seq / 3)::text, 32, '0')::uuid, '{"choice": 1}'
    FROM sessions AS s, generate_series(0, 11) AS seq
"""

# As if they had been worked out, which would take minutes.
PUT_FIGURES: LiteralString = """
    INSERT INTO session_figures
    SELECT
        s.id, s.exam_id, f.completion, f.log_reason, f.events, f.lost, f.began_at, f.ended_at, f.time_ms, f.time_reason,
        f.first_action_ms, f.first_action_reason, f.actions, f.questions_viewed, f.visits, f.revisits, f.absences,
        f.absences_of_unknown_length, f.absences_known_ms, f.absences_in_another_tab, f.answered, f.changes,
        f.answers_reason, f.as_of
    FROM session_figures AS f, test_sessions AS s
    WHERE f.session_id = %(session)s AND s.exam_id = %(others)s
    ON CONFLICT DO NOTHING
"""
PUT_QUESTIONS: LiteralString = """
    INSERT INTO question_figures (session_id, question_id, changes)
    SELECT f.session_id, q.id, 1 FROM session_figures AS f, questions AS q
    ON CONFLICT DO NOTHING
"""
PUT_MOVES: LiteralString = """
    INSERT INTO session_moves
    SELECT f.session_id, q.id, p.id, 1 FROM session_figures AS f, questions AS q, questions AS p WHERE q.id > p.id
    ON CONFLICT DO NOTHING
"""

OF_EXAM: tuple[LiteralString, ...] = (
    "SELECT * FROM exam_session_indicators(%(exam)s)",
    "SELECT * FROM exam_question_indicators(%(exam)s)",
    "SELECT * FROM exam_effort(%(exam)s)",
    "SELECT * FROM exam_navigation(%(exam)s)",
    "SELECT * FROM exam_freshness(%(exam)s)",
    "SELECT * FROM exam_question_indicators(%(exam)s, ARRAY[%(session)s]::uuid[])",
)
OF_SESSION: tuple[LiteralString, ...] = (
    "SELECT * FROM session_timeline WHERE session_id = %(session)s",
    "SELECT * FROM session_logs WHERE session_id = %(session)s",
    "SELECT * FROM session_visits WHERE session_id = %(session)s",
    "SELECT * FROM session_absences WHERE session_id = %(session)s",
    "SELECT * FROM session_answers WHERE session_id = %(session)s",
    "SELECT * FROM session_questions WHERE session_id = %(session)s",
    "SELECT * FROM session_indicators WHERE session_id = %(session)s",
    "SELECT * FROM readable_session_figures WHERE session_id = %(session)s",
    "SELECT * FROM readable_question_figures WHERE session_id = %(session)s",
)
REFRESH: LiteralString = "SELECT * FROM refresh_figures(1)"
WHICH = {"exam": EXAM, "others": OTHERS, "session": SESSION}


@pytest.fixture
def connection(database_url: str) -> Iterator[psycopg.Connection[Any]]:
    auditor = "-c attemptlog.viewer_role=auditor"  # what is said of exams is said to those who say who looks
    with psycopg.connect(database_url, autocommit=True, row_factory=tuple_row, options=auditor) as connection:
        connection.execute("SET jit = off")
        yield connection


def add(connection: psycopg.Connection[Any], exam: UUID, first: int, count: int) -> None:
    connection.execute(ADD, {"exam": exam, "first": first, "last": first + count - 1})


def put_figures(connection: psycopg.Connection[Any]) -> None:
    for statement in (PUT_FIGURES, PUT_QUESTIONS, PUT_MOVES):
        connection.execute(statement, WHICH if "%" in statement else None)
    connection.execute("UPDATE figures_progress SET watermark = pg_current_xact_id()")
    connection.execute("VACUUM ANALYZE")


def make_due(connection: psycopg.Connection[Any]) -> None:
    connection.execute(
        "INSERT INTO dead_letters (topic, partition, kafka_offset, reason, session_id)"
        " SELECT 't', 0, count(*), 'undecodable', %s FROM dead_letters",
        [SESSION],
    )


def read(connection: psycopg.Connection[Any], query: LiteralString) -> tuple[int, int]:
    """Return how many blocks a query reads, and how often all of attempt_events."""
    scans: LiteralString = "SELECT seq_scan FROM pg_stat_xact_user_tables WHERE relname = 'attempt_events'"
    with psycopg.ClientCursor(connection) as cursor, connection.transaction():
        [[before]] = cursor.execute(scans).fetchall()
        cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) {query}".encode(), WHICH)
        [[[found]]] = cursor.fetchall()
        [[after]] = cursor.execute(scans).fetchall()
    return int(found["Plan"]["Shared Hit Blocks"] + found["Plan"]["Shared Read Blocks"]), int(after - before)


def read_all(connection: psycopg.Connection[Any]) -> dict[str, tuple[int, int]]:
    found = {query: read(connection, query) for query in (*OF_EXAM, *OF_SESSION)}
    make_due(connection)
    connection.execute("UPDATE figures_progress SET compared_after = NULL")
    return found | {REFRESH: read(connection, REFRESH)}


def test_the_work_does_not_grow_with_what_others_did(connection: psycopg.Connection[Any]) -> None:
    connection.execute(PARENTS)
    add(connection, EXAM, 0x100, SESSIONS)
    refresh_all(connection)
    add(connection, OTHERS, 0x10000, FEW)
    put_figures(connection)
    read_all(connection)  # once for what is prepared, and kept
    few = read_all(connection)
    add(connection, OTHERS, 0x20000, MANY)
    put_figures(connection)
    read_all(connection)
    many = read_all(connection)
    assert {query: scans for query, (_, scans) in (few | many).items() if scans} == {}
    grown = {query: (few[query][0], blocks) for query, (blocks, _) in many.items() if blocks > 1.3 * few[query][0] + 20}
    assert grown == {}
