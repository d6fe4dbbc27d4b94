"""The statements that store a batch's rows, in the order in which it runs through them, and what they are granted."""

from typing import LiteralString

REQUIRED_COLUMNS = ["stream_id", "sent_at", "dropped"]  # of attempt_events, which older databases have without them

MISSING_COLUMNS = """
SELECT 'attempt_events.' || name
FROM unnest(%s::text[]) AS name
WHERE NOT EXISTS (
    SELECT FROM pg_attribute WHERE attrelid = to_regclass('attempt_events') AND attname = name AND NOT attisdropped
)
"""

# What the consumer's role is granted, and needs.
GRANTS = {
    "attempt_events": "SELECT, INSERT",
    "dead_letters": "SELECT, INSERT, UPDATE",
    "dead_letter_replays": "SELECT, INSERT",
    "dead_letter_replay_outcomes": "SELECT, INSERT",
    "partition_ledger": "SELECT, INSERT, UPDATE",
    "topic_logs": "SELECT, INSERT",
    "test_sessions": "SELECT",
    "questions": "SELECT",
    "exam_questions": "SELECT",
    "suppressions": "SELECT",
    "suppression_key": "SELECT",
}

# One pair of temporary tables per connection: emptying them at commit costs less than making them for every batch.
# Behind a pooler the server's session is not ours, and others, of another version even, get it after us: there they go
# with the transaction.
STAGING: LiteralString = """
CREATE TEMPORARY TABLE staged_events (
    place integer NOT NULL,
    repeated boolean NOT NULL,
    session_id uuid NOT NULL,
    user_id uuid NOT NULL,
    id uuid NOT NULL,
    event_version smallint NOT NULL,
    event_type text NOT NULL,
    event_ts timestamptz NOT NULL,
    client_ts timestamptz,
    seq integer,
    question_id uuid,
    source text,
    payload_json jsonb NOT NULL,
    stream_id uuid,
    sent_at timestamptz,
    dropped jsonb
) USING heap ON COMMIT {at_commit};
CREATE TEMPORARY TABLE leftover_events (LIKE pg_temp.staged_events) USING heap ON COMMIT {at_commit}
"""
CREATE_STAGING = STAGING.format(at_commit="DELETE ROWS")
CREATE_STAGING_FOR_NOW = STAGING.format(at_commit="DROP")

LOOK_FOR_STAGING = "SELECT pg_backend_pid(), to_regclass('pg_temp.staged_events') IS NOT NULL"
DROP_STAGING = "DROP TABLE pg_temp.staged_events, pg_temp.leftover_events"

STAGE = "COPY pg_temp.staged_events FROM STDIN (NULL '')"

# The order is what keeps two consumers that store the same sessions from waiting for each other in a circle, and
# makes the record that Kafka has first win; what is sorted by is first in a row, where it is found fastest. Which rows
# went in is known by id, hence not more than one of each here. The sessions are named once each, and OFFSET 0 keeps a
# look-up one: the planner knows nothing of a temporary table, and would rather read all sessions or all questions.
STORE_STAGED = """
WITH stored AS (
    INSERT INTO attempt_events (
        session_id, stream_id, seq, id, event_version, event_type, event_ts, client_ts, user_id, question_id, source,
        payload_json, sent_at, dropped
    )
    SELECT
        e.session_id, e.stream_id, e.seq, e.id, e.event_version, e.event_type, e.event_ts, e.client_ts, e.user_id,
        e.question_id, e.source, e.payload_json, e.sent_at, e.dropped
    FROM pg_temp.staged_events e
    JOIN (
        SELECT s.id, s.user_id, s.exam_id
        FROM (SELECT DISTINCT session_id FROM pg_temp.staged_events) AS named
        JOIN test_sessions s ON s.id = named.session_id
    ) s ON s.id = e.session_id AND s.user_id = e.user_id
    WHERE NOT e.repeated
        AND CASE
            WHEN e.question_id IS NULL THEN true
            WHEN s.exam_id IS NULL THEN EXISTS (SELECT FROM questions q WHERE q.id = e.question_id OFFSET 0)
            ELSE EXISTS (
                SELECT FROM exam_questions x WHERE x.exam_id = s.exam_id AND x.question_id = e.question_id OFFSET 0
            )
        END
    ORDER BY e.session_id, e.stream_id, e.seq, CASE WHEN e.seq IS NULL THEN e.id END, e.place
    ON CONFLICT DO NOTHING
    RETURNING id
)
INSERT INTO pg_temp.leftover_events
SELECT e.*
FROM pg_temp.staged_events e
WHERE e.repeated OR NOT EXISTS (SELECT FROM stored WHERE stored.id = e.id)
"""

# 'unstored': nothing is wrong with it and yet it is not there, so it has to be stored after all. That is a repeated id
# whose first record was refused, or a session that was created between the two statements. The id is given anew where
# an event enters, its time too, and a page tells with each request when it made it and what it has dropped: none of
# these makes another event. A stream's numbers are its own, and those of events without one are the session's.
CLASSIFY_LEFTOVERS = """
SELECT DISTINCT ON (e.place)
    e.place,
    CASE
        WHEN s.id IS NULL THEN 'unknown_session'
        WHEN s.user_id <> e.user_id THEN 'session_not_owned'
        WHEN e.question_id IS NOT NULL AND q.id IS NULL THEN 'unknown_question'
        WHEN e.question_id IS NOT NULL AND s.exam_id IS NOT NULL AND x.question_id IS NULL
            THEN 'question_not_in_session'
        WHEN known.is_same THEN 'duplicate'
        WHEN known.id IS NOT NULL THEN 'seq_conflict'
        ELSE 'unstored'
    END AS outcome,
    known.id::text AS stored_id
FROM pg_temp.leftover_events e
LEFT JOIN LATERAL (SELECT id, user_id, exam_id FROM test_sessions WHERE id = e.session_id OFFSET 0) s ON true
LEFT JOIN LATERAL (SELECT id FROM questions WHERE id = e.question_id OFFSET 0) q ON true
LEFT JOIN LATERAL (
    SELECT question_id FROM exam_questions WHERE exam_id = s.exam_id AND question_id = e.question_id OFFSET 0
) x ON true
LEFT JOIN LATERAL (
    SELECT
        a.id,
        (
            a.event_type, a.client_ts, a.session_id, a.stream_id, a.seq, a.user_id, a.question_id, a.source,
            a.payload_json
        ) IS NOT DISTINCT FROM (
            e.event_type, e.client_ts, e.session_id, e.stream_id, e.seq, e.user_id, e.question_id, e.source,
            e.payload_json
        ) AS is_same
    FROM attempt_events a
    WHERE a.id = e.id
        OR (a.session_id = e.session_id AND a.stream_id = e.stream_id AND a.seq = e.seq)
        OR (a.session_id = e.session_id AND a.stream_id IS NULL AND e.stream_id IS NULL AND a.seq = e.seq)
    ORDER BY is_same DESC
    LIMIT 1
) known ON true
ORDER BY e.place
"""

EMPTY_STAGING = "TRUNCATE pg_temp.staged_events, pg_temp.leftover_events"

BURY = """
INSERT INTO dead_letters (topic, log, partition, kafka_offset, reason, detail, session_id, user_id, key, value)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT DO NOTHING
"""
