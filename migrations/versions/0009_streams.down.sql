CREATE OR REPLACE VIEW session_completeness AS
SELECT
    session_id,
    min(seq) AS first_seq,
    max(seq) AS last_seq,
    count(*) AS events_stored,
    CASE
        WHEN max(seq) > 1 THEN
            int4multirange(int4range(1, max(seq)))
            - coalesce(range_agg(int4range(seq, seq + 1)) FILTER (WHERE seq < 2147483647), '{}')
        ELSE '{}'
    END AS missing_seq,
    bool_or(event_type = 'SESSION_SUBMITTED') AS is_submitted
FROM attempt_events
GROUP BY session_id;

DROP VIEW stream_completeness;

-- What pages have told stays, and numbers that two streams of a session share stay with it; and a table of ours stays
-- whole once there are events in it. Then columns and indexes remain, which an older attemptlog gets along with.
DO $$
DECLARE
    is_in_use boolean;
    ours text;
BEGIN
    LOCK TABLE attempt_events;
    SELECT EXISTS (
        SELECT
        FROM attempt_events
        WHERE obj_description('attempt_events'::regclass, 'pg_class') = 'created by attemptlog'
            OR stream_id IS NOT NULL OR sent_at IS NOT NULL OR dropped IS NOT NULL
    )
    INTO is_in_use;

    IF is_in_use THEN
        RAISE WARNING 'attempt_events keeps stream_id, sent_at and dropped, because it holds events';
        RETURN;
    END IF;

    DROP INDEX IF EXISTS attempt_events_session_id_seq_idx, attempt_events_session_id_stream_id_seq_idx;
    ALTER TABLE attempt_events ADD CONSTRAINT attempt_events_session_id_seq_key UNIQUE (session_id, seq);
    FOR ours IN
        SELECT attname
        FROM pg_attribute
        WHERE attrelid = 'attempt_events'::regclass
            AND attname IN ('stream_id', 'sent_at', 'dropped')
            AND col_description(attrelid, attnum) = 'created by attemptlog'
    LOOP
        EXECUTE format('ALTER TABLE attempt_events DROP COLUMN %I', ours);
    END LOOP;
END
$$;
