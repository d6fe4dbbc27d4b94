"""The statements of a consumer from before streams, which goes on while the others are replaced one by one.

The staging table's columns have the order of the lines of today's decoding; the last three are there for those.
"""

CREATE_STAGING = """
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
    unread_stream_id uuid,
    unread_sent_at timestamptz,
    unread_dropped jsonb
) ON COMMIT DELETE ROWS;
CREATE TEMPORARY TABLE leftover_events (LIKE staged_events) ON COMMIT DELETE ROWS
"""

STORE_STAGED = """
WITH stored AS (
    INSERT INTO attempt_events (
        id, event_version, event_type, event_ts, client_ts, seq, session_id, user_id, question_id, source, payload_json
    )
    SELECT
        e.id, e.event_version, e.event_type, e.event_ts, e.client_ts, e.seq, e.session_id, e.user_id, e.question_id,
        e.source, e.payload_json
    FROM staged_events e
    JOIN (
        SELECT s.id, s.user_id, s.exam_id
        FROM (SELECT DISTINCT session_id FROM staged_events) AS named
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
    ORDER BY e.session_id, e.seq, CASE WHEN e.seq IS NULL THEN e.id END, e.place
    ON CONFLICT DO NOTHING
    RETURNING id
)
INSERT INTO leftover_events
SELECT e.*
FROM staged_events e
WHERE e.repeated OR NOT EXISTS (SELECT FROM stored WHERE stored.id = e.id)
"""

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
FROM leftover_events e
LEFT JOIN LATERAL (SELECT id, user_id, exam_id FROM test_sessions WHERE id = e.session_id OFFSET 0) s ON true
LEFT JOIN LATERAL (SELECT id FROM questions WHERE id = e.question_id OFFSET 0) q ON true
LEFT JOIN LATERAL (
    SELECT question_id FROM exam_questions WHERE exam_id = s.exam_id AND question_id = e.question_id OFFSET 0
) x ON true
LEFT JOIN LATERAL (
    SELECT
        a.id,
        (a.event_type, a.client_ts, a.session_id, a.seq, a.user_id, a.question_id, a.source, a.payload_json)
            IS NOT DISTINCT FROM
        (e.event_type, e.client_ts, e.session_id, e.seq, e.user_id, e.question_id, e.source, e.payload_json) AS is_same
    FROM attempt_events a
    WHERE a.id = e.id OR (a.session_id = e.session_id AND a.seq = e.seq)
    ORDER BY is_same DESC
    LIMIT 1
) known ON true
ORDER BY e.place
"""
