DROP VIEW readable_accesses, readable_groups, readable_question_titles, readable_exam_titles, readable_indicators, readable_questions,
    readable_streams, readable_answers, readable_absences, readable_visits, readable_logs,
    readable_timeline, readable_session_titles, readable_session_letters, readable_sessions;

REVOKE ALL ON FUNCTION
    refresh_figures(integer, uuid), exam_session_indicators(uuid, uuid[]), exam_question_indicators(uuid, uuid[]),
    exam_effort(uuid, uuid[]), exam_navigation(uuid, uuid[]), exam_freshness(uuid)
FROM attemptlog_reader;
REVOKE ALL ON data_accesses, suppressions, suppression_key, attemptlog_version FROM attemptlog_reader;

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY[
        'session_figures', 'question_figures', 'session_moves', 'figures_due', 'figures_progress', 'exam_questions',
        'answer_keys'
    ] LOOP
        EXECUTE format('REVOKE ALL ON readable_%s FROM attemptlog_reader', name);
        EXECUTE format('CREATE OR REPLACE VIEW readable_%s AS %s', name, pg_get_viewdef('all_' || name));
        EXECUTE format('ALTER VIEW readable_%s RESET (security_barrier)', name);
        EXECUTE format('DROP VIEW all_%s', name);
    END LOOP;
END
$$;

DROP FUNCTION attemptlog_viewer_exams(), attemptlog_viewer_id(), attemptlog_viewer_role();

-- One of the platform's own stays, and one that the platform has filled.
DO $$
DECLARE
    name text;
    is_empty boolean;
BEGIN
    FOREACH name IN ARRAY ARRAY['candidate_groups', 'exam_titles', 'question_titles'] LOOP
        CONTINUE WHEN obj_description(to_regclass(name), 'pg_class') IS DISTINCT FROM 'created by attemptlog';
        EXECUTE format('LOCK TABLE %I', name);
        EXECUTE format('SELECT NOT EXISTS (SELECT FROM %I)', name) INTO is_empty;
        IF is_empty THEN
            EXECUTE format('DROP TABLE %I', name);
        END IF;
    END LOOP;
END
$$;

DO $$
BEGIN
    EXECUTE format('REVOKE USAGE ON SCHEMA %I FROM attemptlog_reader', current_schema());
END
$$;

-- The role goes with the last database that used it, unless it has members or is not ours to drop.
DO $$
BEGIN
    IF EXISTS (
        SELECT
        FROM pg_auth_members
        WHERE roleid = 'attemptlog_reader'::regrole AND member <> current_user::regrole
    ) THEN
        RETURN;
    END IF;
    DROP ROLE attemptlog_reader;
EXCEPTION
    WHEN dependent_objects_still_exist OR insufficient_privilege THEN
        NULL;
END
$$;
