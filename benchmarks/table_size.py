"""One worker into a table that is full already, and into an empty one, in turns; and figures and a purge from it."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise
from typing import LiteralString

import psycopg

from benchmarks import exam, purge
from benchmarks.drain import backlog, drain
from benchmarks.figures import Figure, at_least, in_rounds
from benchmarks.stage import Stage

SETTINGS = "SET maintenance_work_mem = '1GB'; SET max_parallel_maintenance_workers = 0; SET synchronous_commit = off"
BUILDERS = 2  # connections that fill or index at the same time, a core each

PARENTS = """
CREATE TABLE fill_sessions AS
SELECT number, gen_random_uuid() AS session_id, gen_random_uuid() AS user_id
FROM generate_series(0, %(rows)s / 165) AS number;

INSERT INTO exams (id) VALUES (uuidv7());
INSERT INTO questions (id) SELECT uuidv7() FROM generate_series(1, 8);
INSERT INTO exam_questions (exam_id, question_id) SELECT exams.id, questions.id FROM exams, questions;
INSERT INTO users (id) SELECT user_id FROM fill_sessions;
INSERT INTO test_sessions (id, user_id, exam_id) SELECT session_id, user_id, exams.id FROM fill_sessions, exams;
INSERT INTO event_sessions (session_id, user_id) SELECT session_id, user_id FROM fill_sessions;
INSERT INTO event_questions (question_id) SELECT id FROM questions;
"""

# Class after class of 2,000 sessions; in each, one event of every session, then the next, 165 as in the simulator.
FILL = """
INSERT INTO attempt_events (
    id, event_version, event_type, event_ts, client_ts, seq, session_id, user_id, question_id, source, payload_json,
    stream_id, sent_at
)
SELECT
    uuidv7(),
    1,
    (ARRAY['QUESTION_VIEWED', 'NAVIGATE_NEXT', 'NAVIGATE_PREV', 'ANSWER_SELECTED', 'NAVIGATE_JUMP'])[1 + n %% 5],
    timestamptz '2026-01-01' + n * interval '1 millisecond',
    timestamptz '2026-01-01' + n * interval '1 millisecond',
    1 + n / 2000 %% 165,
    s.session_id,
    s.user_id,
    (SELECT array_agg(id) FROM questions)[1 + n %% 8],
    'web',
    '{"pos": 3, "dwell_ms": 18250}',
    s.user_id,  -- as good an id as any
    timestamptz '2026-01-01' + n * interval '1 millisecond' + interval '2 seconds'
FROM generate_series(%(first)s, %(last)s) AS n
JOIN fill_sessions s ON s.number = n / (2000 * 165) * 2000 + n %% 2000
"""

# How each index is taken away, and how it is made again.
INDEXES = """
SELECT
    CASE WHEN c.oid IS NULL
        THEN format('DROP INDEX %s', i.indexrelid::regclass)
        ELSE format('ALTER TABLE attempt_events DROP CONSTRAINT %I', c.conname)
    END,
    CASE WHEN c.oid IS NULL
        THEN pg_get_indexdef(i.indexrelid)
        ELSE format('ALTER TABLE attempt_events ADD CONSTRAINT %I %s', c.conname, pg_get_constraintdef(c.oid))
    END,
    c.oid IS NOT NULL AS locks_table
FROM pg_index i
LEFT JOIN pg_constraint c ON c.conindid = i.indexrelid AND c.conrelid = i.indrelid
WHERE i.indrelid = 'attempt_events'::regclass
"""

Statement = tuple[LiteralString, Mapping[str, int] | None]


def measure(stage: Stage) -> list[Figure]:
    """Return the row of the table's size, and those of an exam, a session and a purge."""
    rows, rates, wrong = stage.scale.large_table, defaultdict[str, list[float]](list), list[str]()
    schools = [stage.school(number) for number in range(stage.scale.large_table_rounds)]
    with stage.database() as full:
        stage.say(f"filling a table with {rows:,} rows …")
        fill(full, rows)
        for school in schools:
            stage.enrol(full, school.roster)
        for number, school in enumerate(schools):
            it = backlog(stage, school)
            with stage.database(school.roster) as other:
                sides = [("empty", other), ("full", full)]
                for name, database in sides if number % 2 else reversed(sides):
                    stage.say(f"size of the table, round {number + 1} of {stage.scale.large_table_rounds}: {name} …")
                    drained = drain(stage, it, database)
                    rates[name].append(drained.rate)
                    wrong += [f"{name} table: {sentence}" for sentence in drained.wrong]
        shown = exam.measure(stage, full, schools[0].roster.exam_id)
        purged = purge.measure(stage, full)
    name = f"consumer, {rows / 1e6:.0f} million rows in the table"
    empty = ("an empty one", rates["empty"])
    row = in_rounds(name, rates["full"], "rows/s", at_least(0.8), against=empty, wrong=tuple(wrong))
    return [row, *shown, *purged]


def fill(database: str, rows: int) -> None:
    """Put rows into an empty attempt_events: keys unchecked and indexes made afterwards, or it would take minutes."""
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(SETTINGS)
        indexes = connection.execute(INDEXES).fetchall()
        for drop, _, _ in indexes:
            connection.execute(drop)
        connection.execute("ALTER TABLE attempt_events DISABLE TRIGGER USER")
        with psycopg.ClientCursor(connection) as cursor:
            cursor.execute(PARENTS, {"rows": rows})
        connection.execute("ANALYZE fill_sessions")
        cuts = [rows * number // BUILDERS for number in range(BUILDERS + 1)]
        _side_by_side(database, [(FILL, {"first": a, "last": b - 1}) for a, b in pairwise(cuts)])
        # CREATE INDEX runs beside another one, ADD CONSTRAINT runs alone
        _side_by_side(database, [(make, None) for _, make, locks_table in indexes if not locks_table])
        _side_by_side(database, [(make, None) for _, make, locks_table in indexes if locks_table])
        connection.execute("ALTER TABLE attempt_events ENABLE TRIGGER USER")
        connection.execute("VACUUM ANALYZE attempt_events")
        connection.execute("CHECKPOINT")


def _side_by_side(database: str, statements: Sequence[Statement]) -> None:
    with ThreadPoolExecutor(BUILDERS) as pool:
        list(pool.map(partial(_execute, database), statements))


def _execute(database: str, statement: Statement) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(SETTINGS)
        connection.execute(*statement)
