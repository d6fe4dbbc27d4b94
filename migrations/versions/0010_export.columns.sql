-- The transaction that stored an event. The column comes without a default and the default later, so that no row is
-- read or written for it: events from before have a null.
DO $$
DECLARE
    found_type text;
BEGIN
    SELECT format_type(atttypid, atttypmod)
    INTO found_type
    FROM pg_attribute
    WHERE attrelid = 'attempt_events'::regclass AND attname = 'export_xid' AND NOT attisdropped;

    IF found_type IS NULL THEN
        ALTER TABLE attempt_events ADD COLUMN export_xid xid8;
        COMMENT ON COLUMN attempt_events.export_xid IS 'created by attemptlog';
    ELSIF found_type <> 'xid8' THEN
        RAISE EXCEPTION 'attemptlog cannot use the attempt_events that is here: column export_xid is % and must be xid8',
            found_type
        USING HINT = 'Rename the column, and migrate again.';
    END IF;
END
$$;

ALTER TABLE attempt_events ALTER COLUMN export_xid SET DEFAULT pg_current_xact_id();

-- What is left of an index whose making was interrupted is of no use, and in the way of the next attempt.
DO $$
BEGIN
    IF EXISTS (
        SELECT FROM pg_index WHERE NOT indisvalid AND indexrelid = to_regclass('attempt_events_export_xid_idx')
    ) THEN
        DROP INDEX attempt_events_export_xid_idx;
    END IF;
END
$$;
