-- How far the targets are is forgotten, and with it that they hold anything: exporting again begins with a resync.
DROP TABLE export_batches, export_targets;

REVOKE ALL ON attempt_events, attemptlog_version FROM attemptlog_exporter;
REVOKE SELECT (id, exam_id) ON test_sessions FROM attemptlog_exporter;

DO $$
BEGIN
    EXECUTE format('REVOKE USAGE ON SCHEMA %I FROM attemptlog_exporter', current_schema());
END
$$;

-- The role goes with the last database that used it, unless it has members or is not ours to drop.
DO $$
BEGIN
    IF EXISTS (
        SELECT
        FROM pg_auth_members
        WHERE roleid = 'attemptlog_exporter'::regrole AND member <> current_user::regrole
    ) THEN
        RETURN;
    END IF;
    DROP ROLE attemptlog_exporter;
EXCEPTION
    WHEN dependent_objects_still_exist OR insufficient_privilege THEN
        NULL;
END
$$;

-- A table of ours stays whole once there are events in it; an older attemptlog gets along with the column.
DO $$
BEGIN
    LOCK TABLE attempt_events;
    IF obj_description('attempt_events'::regclass, 'pg_class') = 'created by attemptlog'
        AND EXISTS (SELECT FROM attempt_events)
    THEN
        RAISE WARNING 'attempt_events keeps export_xid, because it holds events';
        RETURN;
    END IF;

    DROP INDEX IF EXISTS attempt_events_export_xid_idx;
    IF col_description('attempt_events'::regclass, (
        SELECT attnum FROM pg_attribute WHERE attrelid = 'attempt_events'::regclass AND attname = 'export_xid'
    )) = 'created by attemptlog' THEN
        ALTER TABLE attempt_events DROP COLUMN export_xid;
    ELSE
        ALTER TABLE attempt_events ALTER COLUMN export_xid DROP DEFAULT;
    END IF;
END
$$;
