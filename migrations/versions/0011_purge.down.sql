-- A person who is suppressed would be stored again, and the accounts would lack what was purged.
DO $$
BEGIN
    IF EXISTS (SELECT FROM purges) THEN
        RAISE EXCEPTION 'persons were purged here, and an older attemptlog would store their events again'
        USING HINT = 'Stay at this revision, or later.';
    END IF;
    IF EXISTS (SELECT FROM data_accesses) THEN
        RAISE WARNING 'who has looked at whose data is forgotten';
    END IF;
END
$$;

REVOKE ALL ON attempt_events, dead_letters, dead_letter_replay_outcomes, dead_letter_replays, event_sessions,
    export_targets, attemptlog_version FROM attemptlog_purger;
REVOKE SELECT (id, user_id) ON test_sessions FROM attemptlog_purger;

DROP TABLE data_accesses, purge_targets, suppression_key, suppressions, purged_letters, purges;
DROP FUNCTION attemptlog_change_suppressions();

ALTER FUNCTION attemptlog_lock_entries() SECURITY INVOKER;

DO $$
BEGIN
    EXECUTE format('REVOKE USAGE ON SCHEMA %I FROM attemptlog_purger', current_schema());
END
$$;

-- The role goes with the last database that used it, unless it has members or is not ours to drop.
DO $$
BEGIN
    IF EXISTS (
        SELECT
        FROM pg_auth_members
        WHERE roleid = 'attemptlog_purger'::regrole AND member <> current_user::regrole
    ) THEN
        RETURN;
    END IF;
    DROP ROLE attemptlog_purger;
EXCEPTION
    WHEN dependent_objects_still_exist OR insufficient_privilege THEN
        NULL;
END
$$;
