ALTER TABLE attempt_events DROP CONSTRAINT IF EXISTS attempt_events_session_id_seq_key;

-- One row per stream, and one with a null stream_id for what came without: of services, and of clients that send none.
-- Clients count from 1, so what is missing are the numbers of 1 … last_seq that are not stored; what a client sent
-- after the last one stored cannot be known here. 2147483647 + 1 is no integer, and no number is missing after it.
-- A page tells with each batch how much it has dropped so far, hence the greatest figure is the newest.
CREATE VIEW stream_completeness AS
SELECT
    session_id,
    stream_id,
    min(seq) AS first_seq,
    max(seq) AS last_seq,
    count(*) AS events_stored,
    CASE
        WHEN max(seq) > 1 THEN
            int4multirange(int4range(1, max(seq)))
            - coalesce(range_agg(int4range(seq, seq + 1)) FILTER (WHERE seq < 2147483647), '{}')
        ELSE '{}'
    END AS missing_seq,
    min(event_ts) AS first_event_ts,
    max(event_ts) AS last_event_ts,
    bool_or(event_type = 'SESSION_SUBMITTED') AS has_submission,
    (
        SELECT jsonb_object_agg(reason, most)
        FROM (
            SELECT reason, max(told.events::bigint) AS most
            FROM attempt_events AS telling, jsonb_each_text(telling.dropped) AS told (reason, events)
            WHERE telling.session_id = attempt_events.session_id
                AND telling.stream_id IS NOT DISTINCT FROM attempt_events.stream_id
            GROUP BY reason
        ) AS by_reason
    ) AS dropped
FROM attempt_events
GROUP BY session_id, stream_id;

-- Of a session with several streams: nothing is missing where no stream lacks a number.
CREATE OR REPLACE VIEW session_completeness AS
SELECT
    session_id,
    min(first_seq) AS first_seq,
    max(last_seq) AS last_seq,
    sum(events_stored)::bigint AS events_stored,
    range_agg(missing_seq) AS missing_seq,
    bool_or(has_submission) AS is_submitted
FROM stream_completeness
GROUP BY session_id;

REVOKE ALL ON stream_completeness FROM PUBLIC;

-- Whoever was given the one view reads the other, too.
DO $$
DECLARE
    reader text;
BEGIN
    FOR reader IN
        SELECT DISTINCT CASE WHEN grantee = 0 THEN 'PUBLIC' ELSE quote_ident(grantee::regrole::name) END
        FROM pg_class, aclexplode(relacl)
        WHERE oid = 'session_completeness'::regclass AND privilege_type = 'SELECT' AND grantee <> relowner
    LOOP
        EXECUTE format('GRANT SELECT ON stream_completeness TO %s', reader);
    END LOOP;
END
$$;
