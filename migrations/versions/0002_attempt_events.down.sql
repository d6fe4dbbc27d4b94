DROP VIEW session_completeness;
DROP TRIGGER attempt_events_append_only ON attempt_events;
DROP FUNCTION attemptlog_refuse_change();

-- No event is deleted: a table of ours goes if it is empty and otherwise stays whole. An older table loses what was
-- added to it; the columns that were its own keep the types they were given.
DO $$
DECLARE
    is_in_use boolean;
    added_later text;
BEGIN
    LOCK TABLE attempt_events;
    SELECT EXISTS (SELECT FROM attempt_events) INTO is_in_use;

    IF obj_description('attempt_events'::regclass, 'pg_class') IS DISTINCT FROM 'created by attemptlog' THEN
        ALTER TABLE attempt_events
            DROP COLUMN event_version,
            DROP COLUMN client_ts,
            DROP COLUMN seq,
            DROP COLUMN question_id,
            DROP COLUMN source,
            ALTER COLUMN payload_json DROP NOT NULL,
            DROP CONSTRAINT attempt_events_event_type_check,
            DROP CONSTRAINT attempt_events_session_id_fkey,
            DROP CONSTRAINT attempt_events_user_id_fkey;
        FOR added_later IN
            SELECT attname
            FROM pg_attribute
            WHERE attrelid = 'attempt_events'::regclass
                AND NOT attisdropped
                AND col_description(attrelid, attnum) = 'created by attemptlog'
        LOOP
            EXECUTE format('ALTER TABLE attempt_events DROP COLUMN %I', added_later);
        END LOOP;
        DROP INDEX IF EXISTS -- whichever set is there
            attempt_events_session_id_event_ts_idx,
            attempt_events_user_id_event_ts_idx,
            attempt_events_event_type_event_ts_idx,
            attempt_events_event_type_idx,
            attempt_events_event_ts_idx,
            attempt_events_event_ts_brin_idx,
            attempt_events_user_id_idx;
    ELSIF NOT is_in_use THEN
        DROP TABLE attempt_events;
    END IF;
END
$$;
