"""A database as the landed release leaves it after some exams: its tables, and many events in them."""

import os

import psycopg

ROWS = int(os.environ.get("ATTEMPTLOG_UPGRADE_ROWS", "200000"))
"""Events in the table that is migrated; more by hand."""

PER_SESSION = 100
TOPIC = "filled"

# Without triggers and foreign keys, which would look up what is known to be there.
FILL = """
SET LOCAL session_replication_role = replica;
SET LOCAL synchronous_commit = off;

CREATE TEMPORARY TABLE filling ON COMMIT DROP AS
SELECT number, gen_random_uuid() AS session_id, gen_random_uuid() AS user_id
FROM generate_series(0, %(rows)s / %(per_session)s) AS number;

INSERT INTO exams (id) VALUES (gen_random_uuid());
INSERT INTO questions (id) SELECT gen_random_uuid() FROM generate_series(1, 8);
INSERT INTO exam_questions (exam_id, question_id) SELECT exams.id, questions.id FROM exams, questions;
INSERT INTO users (id) SELECT user_id FROM filling;
INSERT INTO test_sessions (id, user_id, exam_id) SELECT session_id, user_id, exams.id FROM filling, exams;
INSERT INTO event_sessions (session_id, user_id) SELECT session_id, user_id FROM filling;
INSERT INTO event_questions (question_id) SELECT id FROM questions;

INSERT INTO attempt_events (
    id, event_version, event_type, event_ts, client_ts, seq, session_id, user_id, question_id, source, payload_json,
    stream_id, sent_at
)
SELECT
    gen_random_uuid(), 1, 'ANSWER_SELECTED', at, at, 1 + n %% %(per_session)s, s.session_id, s.user_id,
    (SELECT array_agg(id) FROM questions)[1 + n %% 8], 'web', '{"choice": 2}', s.user_id, at
FROM generate_series(0, %(rows)s - 1) AS n
JOIN filling s ON s.number = n / %(per_session)s
CROSS JOIN LATERAL (SELECT timestamptz '2026-01-01' + n * interval '1 millisecond') AS t (at);

INSERT INTO partition_ledger (topic, partition, next_offset, records, inserted)
VALUES (%(topic)s, 0, %(rows)s, %(rows)s, %(rows)s);

ANALYZE
"""


def fill(database_url: str, rows: int = ROWS) -> None:
    """Put exams of the past into the tables of an empty database, and into its ledger."""
    with psycopg.connect(database_url) as connection, psycopg.ClientCursor(connection) as cursor:
        cursor.execute(FILL, {"rows": rows, "per_session": PER_SESSION, "topic": TOPIC})
