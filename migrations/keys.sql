-- The foreign keys of attempt_events, as this server checks them best. Run at the end of every upgrade and downgrade,
-- because the server may be another one than the last time: one from before 18 has no NOT ENFORCED, and there the
-- ordinary foreign keys stay. It is in an EXECUTE, because such a server reads the whole block before it runs a line.
DO $$
DECLARE
    keys CONSTANT name[] := ARRAY[
        'attempt_events_session_id_fkey', 'attempt_events_user_id_fkey', 'attempt_events_question_id_fkey'
    ];
    enforced name[];
    key name;
BEGIN
    -- The function is there from revision 0006 on.
    IF current_setting('server_version_num')::integer < 180000
        OR to_regprocedure('attemptlog_enter_parents()') IS NULL
    THEN
        RETURN;
    END IF;

    enforced := ARRAY(
        SELECT conname
        FROM pg_constraint
        WHERE conrelid = 'attempt_events'::regclass AND conname = ANY(keys) AND conenforced
    );
    IF cardinality(enforced) = 0 AND 2 = (
        SELECT count(*)
        FROM pg_trigger
        WHERE tgrelid = 'attempt_events'::regclass
            AND tgname IN ('attempt_events_parents_of_new', 'attempt_events_parents_of_changed')
            AND tgenabled IN ('O', 'A')
    ) THEN
        RETURN;
    END IF;

    LOCK TABLE attempt_events IN SHARE ROW EXCLUSIVE MODE;

    -- Older events may have lost their parents already; those stay as unproven as they were.
    INSERT INTO event_sessions
    SELECT DISTINCT e.session_id, e.user_id
    FROM attempt_events e
    JOIN test_sessions s ON s.id = e.session_id
    JOIN users u ON u.id = e.user_id
    ON CONFLICT DO NOTHING;

    INSERT INTO event_questions
    SELECT DISTINCT e.question_id
    FROM attempt_events e
    JOIN questions q ON q.id = e.question_id
    ON CONFLICT DO NOTHING;

    FOREACH key IN ARRAY enforced LOOP
        EXECUTE format('ALTER TABLE attempt_events ALTER CONSTRAINT %I NOT ENFORCED', key);
    END LOOP;

    CREATE OR REPLACE TRIGGER attempt_events_parents_of_new
    AFTER INSERT ON attempt_events
    REFERENCING NEW TABLE AS new_events
    FOR EACH STATEMENT
    EXECUTE FUNCTION attemptlog_enter_parents();

    CREATE OR REPLACE TRIGGER attempt_events_parents_of_changed
    AFTER UPDATE ON attempt_events
    REFERENCING NEW TABLE AS new_events
    FOR EACH STATEMENT
    EXECUTE FUNCTION attemptlog_enter_parents();
END
$$;
