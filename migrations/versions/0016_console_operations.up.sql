-- The JSON type of each field of a dead letter, and of its payload's: NULL for what is no JSON object, or larger than any
-- envelope. A name that is no plain word may be anything, also somebody's: it is not shown.
CREATE FUNCTION attemptlog_shape(record_value bytea) RETURNS jsonb
LANGUAGE plpgsql
IMMUTABLE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    largest CONSTANT integer := 65536; -- bytes
    envelope json;
    payload json := '{}';
BEGIN
    IF record_value IS NULL OR octet_length(record_value) > largest THEN
        RETURN NULL;
    END IF;
    envelope := convert_from(record_value, 'UTF8')::json;
    IF json_typeof(envelope) <> 'object' THEN
        RETURN NULL;
    END IF;
    IF json_typeof(envelope -> 'payload_json') = 'object' THEN
        payload := envelope -> 'payload_json';
    END IF;
    RETURN (
        SELECT coalesce(jsonb_object_agg(
            prefix || CASE WHEN key ~ '^[a-z][a-z_]{0,39}$' THEN key ELSE '(a name that is not shown)' END,
            CASE
                WHEN json_typeof(field) = 'number' AND field::text ~ '^-?[0-9]+$' THEN 'integer'
                ELSE json_typeof(field)
            END
        ), '{}')
        FROM (
            SELECT '' AS prefix, key, value AS field
            FROM json_each(envelope)
            UNION ALL
            SELECT 'payload_json.', key, value
            FROM json_each(payload)
        ) AS fields
    );
EXCEPTION
    WHEN data_exception OR statement_too_complex THEN
        RETURN NULL;
END
$$;

-- The type that a dead letter says it is of, if it is one that there is.
CREATE FUNCTION attemptlog_letter_type(record_value bytea) RETURNS text
LANGUAGE plpgsql
IMMUTABLE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    said text;
BEGIN
    IF record_value IS NULL OR octet_length(record_value) > 65536 THEN
        RETURN NULL;
    END IF;
    said := convert_from(record_value, 'UTF8')::json ->> 'event_type';
    IF said IN (
        'SESSION_CREATED', 'SESSION_SUBMITTED', 'SESSION_EXPIRED', 'REVIEW_OPENED', 'QUESTION_VIEWED', 'NAVIGATE_NEXT',
        'NAVIGATE_PREV', 'NAVIGATE_JUMP', 'ANSWER_SELECTED', 'ANSWER_CHANGED', 'MARK_FOR_REVIEW_TOGGLED', 'PAUSE_BLUR'
    ) THEN
        RETURN said;
    END IF;
    RETURN NULL;
EXCEPTION
    WHEN data_exception OR statement_too_complex THEN
        RETURN NULL;
END
$$;

-- Why a record is a dead letter, without what came in it: PostgreSQL quotes values, and a field's name may be anything.
CREATE FUNCTION attemptlog_letter_detail(reason text, detail text) RETURNS text
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
RETURN CASE
    WHEN detail IS NULL THEN NULL
    WHEN reason = 'undecodable' AND detail ~ ':' AND detail !~ '^(Invalid JSON|[a-z][a-z_]*(\.[a-z][a-z_]*)?): '
        THEN 'a field has a name that the contract does not have'
    ELSE regexp_replace(
        regexp_replace(detail, '"[^"]*"?', '"…"', 'g'),
        '[0-9a-f]{8}(-?[0-9a-f]{4}){3}-?[0-9a-f]{12}', '(id)', 'gi'
    )
END;

CREATE VIEW readable_ledger WITH (security_barrier) AS
SELECT topic, partition, next_offset, inserted
FROM partition_ledger
WHERE attemptlog_viewer_role() IN ('operator', 'auditor');

CREATE VIEW readable_letters WITH (security_barrier) AS
SELECT
    id,
    reason,
    CASE
        WHEN attemptlog_viewer_role() = 'auditor' THEN detail
        ELSE attemptlog_letter_detail(reason, detail)
    END AS detail,
    topic,
    partition,
    kafka_offset,
    first_seen_at,
    replayed_at,
    replay_outcome,
    coalesce(replay_outcome, reason) IN ('inserted', 'duplicate') AS is_settled,
    attemptlog_letter_type(value) AS event_type,
    attemptlog_shape(value) AS shape,
    CASE WHEN attemptlog_viewer_role() = 'auditor' THEN session_id END AS session_id,
    CASE WHEN attemptlog_viewer_role() = 'auditor' THEN user_id END AS user_id,
    CASE WHEN attemptlog_viewer_role() = 'auditor' THEN value END AS value
FROM dead_letters
WHERE attemptlog_viewer_role() IN ('operator', 'auditor');

-- What was stored last by transactions from `since` on, as far as all before them have ended: at most `most` of what
-- fits, the newest first, of the newest `looked_at`. Always one row at least, for the counts; the order of transactions
-- is the one of an index. It runs with its owner's rights, because whose an event is leads to its exam.
CREATE FUNCTION stored_events(
    since xid8, of_type text, of_source text, of_exam uuid, most integer, looked_at integer
) RETURNS TABLE (
    id uuid,
    event_type text,
    source text,
    exam_id uuid,
    event_ts timestamptz,
    stored_at timestamptz,
    fitting bigint,
    looked bigint,
    horizon xid8,
    oldest_hidden_at timestamptz
)
LANGUAGE plpgsql
STABLE
SECURITY DEFINER
SET jit = off
SET row_security = off
SET plan_cache_mode = force_custom_plan -- how many are asked for decides that the index's order is followed
SET enable_bitmapscan = off
AS $$
#variable_conflict use_column
DECLARE
    ended CONSTANT xid8 := pg_snapshot_xmin(pg_current_snapshot());
BEGIN
    IF attemptlog_viewer_role() NOT IN ('operator', 'auditor') THEN
        RAISE EXCEPTION 'only operators and auditors look at what is stored' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN QUERY
    WITH newest AS MATERIALIZED (
        SELECT e.id, e.event_type, e.source, e.session_id, e.event_ts, e.created_at, e.export_xid
        FROM attempt_events AS e
        WHERE e.export_xid >= least(since, ended) AND e.export_xid < ended
        ORDER BY e.export_xid DESC
        LIMIT looked_at
    ),
    fit AS (
        SELECT newest.*, s.exam_id, count(*) OVER () AS fitting
        FROM newest
        LEFT JOIN test_sessions AS s ON s.id = newest.session_id
        WHERE (of_type IS NULL OR newest.event_type = of_type)
            AND (of_source IS NULL OR newest.source = of_source)
            AND (of_exam IS NULL OR s.exam_id = of_exam)
        ORDER BY newest.export_xid DESC, newest.event_ts DESC, newest.id DESC
        LIMIT most
    )
    SELECT
        fit.id, fit.event_type, fit.source, fit.exam_id, fit.event_ts, fit.created_at, coalesce(fit.fitting, 0),
        (SELECT count(*) FROM newest), ended,
        (SELECT e.created_at FROM attempt_events AS e WHERE e.export_xid >= ended ORDER BY e.export_xid LIMIT 1)
    FROM (SELECT) AS always
    LEFT JOIN fit ON true
    ORDER BY fit.export_xid DESC, fit.event_ts DESC, fit.id DESC;
END
$$;

DO $$
BEGIN
    EXECUTE format(
        'ALTER FUNCTION stored_events(xid8, text, text, uuid, integer, integer) SET search_path = %s, pg_temp',
        (
            SELECT string_agg(DISTINCT quote_ident(nspname), ', ')
            FROM pg_class
            JOIN pg_namespace ON pg_namespace.oid = relnamespace
            WHERE pg_class.oid IN ('attempt_events'::regclass, 'test_sessions'::regclass)
        )
    );
END
$$;

REVOKE ALL ON FUNCTION
    attemptlog_shape(bytea), attemptlog_letter_type(bytea), attemptlog_letter_detail(text, text),
    stored_events(xid8, text, text, uuid, integer, integer)
FROM PUBLIC;
REVOKE ALL ON readable_ledger, readable_letters FROM PUBLIC;

GRANT EXECUTE ON FUNCTION
    attemptlog_shape(bytea), attemptlog_letter_type(bytea), attemptlog_letter_detail(text, text),
    stored_events(xid8, text, text, uuid, integer, integer)
TO attemptlog_reader;
GRANT SELECT ON readable_ledger, readable_letters TO attemptlog_reader;

-- An audit counts what is stored, and what is gone. Who may store may count.
GRANT SELECT ON closed_ledgers, purged_letters TO attemptlog_consumer;
GRANT SELECT (kind, events) ON purges TO attemptlog_consumer;
