DROP TRIGGER IF EXISTS attempt_events_parents_of_new ON attempt_events;
DROP TRIGGER IF EXISTS attempt_events_parents_of_changed ON attempt_events;
DROP FUNCTION attemptlog_enter_parents();

DO $$
DECLARE
    kept record;
BEGIN
    FOR kept IN
        SELECT conname, pg_get_constraintdef(oid) AS definition
        FROM pg_constraint
        WHERE conrelid = 'attempt_events'::regclass AND contype = 'f' AND pg_get_constraintdef(oid) LIKE '% NOT ENFORCED'
    LOOP
        EXECUTE format('ALTER TABLE attempt_events DROP CONSTRAINT %I', kept.conname);
        EXECUTE format(
            'ALTER TABLE attempt_events ADD CONSTRAINT %I %s NOT VALID',
            kept.conname, replace(kept.definition, ' NOT ENFORCED', '')
        );
        BEGIN
            EXECUTE format('ALTER TABLE attempt_events VALIDATE CONSTRAINT %I', kept.conname);
        EXCEPTION
            WHEN foreign_key_violation THEN
                RAISE WARNING 'older rows of attempt_events break %, which holds for new rows only', kept.conname;
        END;
    END LOOP;
END
$$;

DROP TABLE event_sessions, event_questions;
DROP FUNCTION attemptlog_lock_entries();
