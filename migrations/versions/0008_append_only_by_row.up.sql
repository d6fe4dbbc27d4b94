-- A foreign key with ON DELETE CASCADE or SET NULL sends its DELETE or UPDATE to attempt_events for every parent that
-- goes, also for one without events. What is refused is therefore the change of a row, not a statement that meets none.
-- A purge is not asked at all, because a BEFORE trigger that returns nothing would keep its rows.
DROP TRIGGER attempt_events_append_only ON attempt_events;

CREATE TRIGGER attempt_events_append_only
BEFORE UPDATE OR DELETE ON attempt_events
FOR EACH ROW
WHEN (current_setting('attemptlog.purge', true) IS DISTINCT FROM 'on')
EXECUTE FUNCTION attemptlog_refuse_change();

CREATE TRIGGER attempt_events_no_truncate
BEFORE TRUNCATE ON attempt_events
FOR EACH STATEMENT
EXECUTE FUNCTION attemptlog_refuse_change();

-- What the platform added to its table and what becomes of it from now on. Nothing of it is changed.
DO $$
DECLARE
    found record;
    unfilled text;
BEGIN
    FOR found IN
        SELECT conname, confrelid::regclass AS parent, pg_get_constraintdef(oid) AS definition
        FROM pg_constraint
        WHERE conrelid = 'attempt_events'::regclass
            AND contype = 'f'
            AND (confdeltype IN ('c', 'n', 'd') OR confupdtype IN ('c', 'n', 'd'))
        ORDER BY conname
    LOOP
        RAISE WARNING 'attempt_events is append-only: % (%) stays, but a row of % that has events can no longer be deleted',
            found.conname, found.definition, found.parent;
    END LOOP;

    IF EXISTS (SELECT FROM pg_inherits WHERE inhparent = 'attempt_events'::regclass) THEN
        RAISE WARNING 'attempt_events has tables that inherit from it: what is written to them directly is not checked';
    END IF;

    SELECT string_agg(attname, ', ' ORDER BY attnum)
    INTO unfilled
    FROM pg_attribute
    WHERE attrelid = 'attempt_events'::regclass
        AND attnum > 0
        AND NOT attisdropped
        AND attnotnull
        AND NOT atthasdef
        AND attidentity = ''
        AND attname NOT IN ('id', 'event_version', 'event_type', 'event_ts', 'session_id', 'user_id');
    IF unfilled IS NOT NULL THEN
        RAISE EXCEPTION 'no event could be stored: attempt_events has columns that must not be null and that attemptlog does not fill: %',
            unfilled
        USING HINT = 'Give them a default or drop their NOT NULL, and migrate again.';
    END IF;
END
$$;
