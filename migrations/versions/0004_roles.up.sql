-- Roles belong to the whole cluster: one of them may be there already, or be made by another database's migration.
DO $$
DECLARE
    role_name text;
BEGIN
    FOREACH role_name IN ARRAY ARRAY['attemptlog_gateway', 'attemptlog_consumer'] LOOP
        CONTINUE WHEN EXISTS (SELECT FROM pg_roles WHERE rolname = role_name);
        BEGIN
            EXECUTE format('CREATE ROLE %I NOLOGIN', role_name);
        EXCEPTION
            WHEN duplicate_object OR unique_violation THEN
                NULL;
            WHEN insufficient_privilege THEN
                RAISE EXCEPTION 'role % is missing and % may not create it', role_name, current_user
                USING HINT = 'Have an administrator run "CREATE ROLE attemptlog_gateway NOLOGIN; '
                    'CREATE ROLE attemptlog_consumer NOLOGIN", and migrate again.';
        END;
    END LOOP;
END
$$;

REVOKE ALL ON attempt_events, dead_letters, partition_ledger, session_completeness, attemptlog_version FROM PUBLIC;

GRANT SELECT (id, user_id, exam_id) ON test_sessions TO attemptlog_gateway;
GRANT SELECT ON exam_questions TO attemptlog_gateway;

GRANT SELECT, INSERT ON attempt_events, dead_letters TO attemptlog_consumer;
GRANT SELECT, INSERT, UPDATE ON partition_ledger TO attemptlog_consumer;
GRANT SELECT ON test_sessions, users, questions, exam_questions TO attemptlog_consumer;

-- So that a service can tell whether the schema is the one it was written for.
GRANT SELECT ON attemptlog_version TO attemptlog_gateway, attemptlog_consumer;

DO $$
BEGIN
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO attemptlog_gateway, attemptlog_consumer', current_schema());
    EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO attemptlog_consumer', current_database());

    -- A GRANT by somebody who may not is only a warning.
    IF NOT has_database_privilege('attemptlog_consumer', current_database(), 'TEMPORARY') THEN
        RAISE EXCEPTION 'attemptlog_consumer needs temporary tables and % may not grant them', current_user
        USING HINT = format(
            'Have the owner run "GRANT TEMPORARY ON DATABASE %I TO attemptlog_consumer", and migrate again.',
            current_database()
        );
    END IF;
END
$$;
