-- Without a default and without a check: no row is read or written for a new column.
DO $$
DECLARE
    needed record;
BEGIN
    FOR needed IN
        SELECT column_name, column_type, format_type(atttypid, atttypmod) AS found_type
        FROM (
            VALUES ('stream_id', 'uuid'), ('sent_at', 'timestamp with time zone'), ('dropped', 'jsonb')
        ) AS columns (column_name, column_type)
        LEFT JOIN pg_attribute
            ON attrelid = 'attempt_events'::regclass AND attname = column_name AND NOT attisdropped
    LOOP
        IF needed.found_type IS NULL THEN
            EXECUTE format('ALTER TABLE attempt_events ADD COLUMN %I %s', needed.column_name, needed.column_type);
            EXECUTE format('COMMENT ON COLUMN attempt_events.%I IS %L', needed.column_name, 'created by attemptlog');
        ELSIF needed.found_type <> needed.column_type THEN
            RAISE EXCEPTION 'attemptlog cannot use the attempt_events that is here: column % is % and must be %',
                needed.column_name, needed.found_type, needed.column_type
            USING HINT = 'Rename the column, and migrate again.';
        END IF;
    END LOOP;
END
$$;

-- What is left of an index whose making was interrupted is of no use, and in the way of the next attempt.
DO $$
DECLARE
    unfinished regclass;
BEGIN
    FOR unfinished IN
        SELECT indexrelid
        FROM pg_index
        WHERE NOT indisvalid
            AND indexrelid IN (
                to_regclass('attempt_events_session_id_seq_idx'),
                to_regclass('attempt_events_session_id_stream_id_seq_idx')
            )
    LOOP
        EXECUTE format('DROP INDEX %s', unfinished);
    END LOOP;
END
$$;
