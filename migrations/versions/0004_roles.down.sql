-- Of a table, REVOKE ALL takes the grants on its columns with it.
REVOKE ALL ON
    test_sessions, users, questions, exam_questions, attempt_events, dead_letters, partition_ledger, attemptlog_version
FROM attemptlog_gateway, attemptlog_consumer;

DO $$
BEGIN
    EXECUTE format('REVOKE USAGE ON SCHEMA %I FROM attemptlog_gateway, attemptlog_consumer', current_schema());
    EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM attemptlog_consumer', current_database());
END
$$;

-- The roles go with the last database that used them, unless they have members or are not ours to drop.
DO $$
DECLARE
    role_name text;
BEGIN
    FOREACH role_name IN ARRAY ARRAY['attemptlog_gateway', 'attemptlog_consumer'] LOOP
        CONTINUE WHEN EXISTS (
            SELECT
            FROM pg_auth_members
            WHERE roleid = role_name::regrole AND member <> current_user::regrole
        );
        BEGIN
            EXECUTE format('DROP ROLE %I', role_name);
        EXCEPTION
            WHEN dependent_objects_still_exist OR insufficient_privilege THEN
                NULL;
        END;
    END LOOP;
END
$$;
