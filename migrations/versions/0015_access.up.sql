-- Who may see what: whoever reads as attemptlog_reader says in each transaction who looks, and its views show what that
-- viewer may see. docs/security.md has what this protects from, and what not.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'attemptlog_reader') THEN
        CREATE ROLE attemptlog_reader NOLOGIN;
    END IF;
EXCEPTION
    WHEN duplicate_object OR unique_violation THEN
        NULL;
    WHEN insufficient_privilege THEN
        RAISE EXCEPTION 'role attemptlog_reader is missing and % may not create it', current_user
        USING HINT = 'Have an administrator run "CREATE ROLE attemptlog_reader NOLOGIN", and migrate again.';
END
$$;

-- The platform's to fill: groups that an exam's sessions can be told apart by, and names to show for ids. One of the
-- platform's own, also a view, is used as it is, if it fits.
DO $$
DECLARE
    wanted record;
    misfits text;
BEGIN
    FOR wanted IN
        SELECT *
        FROM (
            VALUES
                ('candidate_groups', '{exam_id,user_id,group_name}'::text[], '{uuid,uuid,text}'::text[],
                    'exam_id, user_id, group_name'),
                ('exam_titles', '{exam_id,title}', '{uuid,text}', 'exam_id'),
                ('question_titles', '{exam_id,question_id,position,title}', '{uuid,uuid,integer,text}',
                    'exam_id, question_id')
        ) AS tables (name, columns, types, key)
    LOOP
        IF to_regclass(wanted.name) IS NULL THEN
            EXECUTE format(
                'CREATE TABLE %I (%s, PRIMARY KEY (%s))',
                wanted.name,
                (
                    SELECT string_agg(format('%I %s', name, type), ', ' ORDER BY place)
                    FROM unnest(wanted.columns, wanted.types) WITH ORDINALITY AS it (name, type, place)
                ),
                wanted.key
            );
            EXECUTE format('COMMENT ON TABLE %I IS %L', wanted.name, 'created by attemptlog');
            EXECUTE format('REVOKE ALL ON %I FROM PUBLIC', wanted.name);
            CONTINUE;
        END IF;
        SELECT string_agg(format('%s (%s)', name, type), ', ' ORDER BY place)
        INTO misfits
        FROM unnest(wanted.columns, wanted.types) WITH ORDINALITY AS it (name, type, place)
        WHERE NOT EXISTS (
            SELECT
            FROM pg_attribute
            WHERE attrelid = to_regclass(wanted.name) AND NOT attisdropped
                AND attname = it.name AND atttypid = it.type::regtype
        );
        IF misfits IS NOT NULL THEN
            RAISE EXCEPTION 'attemptlog cannot use the % that is here: it must have %', wanted.name, misfits
            USING HINT = 'Rename it, and migrate again.';
        END IF;
    END LOOP;
END
$$;

CREATE FUNCTION attemptlog_viewer_role() RETURNS text
LANGUAGE plpgsql
STABLE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    role CONSTANT text := current_setting('attemptlog.viewer_role', true);
BEGIN
    IF role IN ('candidate', 'examiner', 'operator', 'auditor') THEN
        RETURN role;
    END IF;
    RAISE EXCEPTION 'nobody has said who looks'
    USING
        ERRCODE = 'insufficient_privilege',
        HINT = 'In each transaction: SELECT set_config(''attemptlog.viewer_role'', ''auditor'', true). A candidate needs '
            'attemptlog.viewer_id, an examiner attemptlog.viewer_exams, such as {ID,ID}; an operator sees no person.';
END
$$;

-- NULL for whoever is no candidate.
CREATE FUNCTION attemptlog_viewer_id() RETURNS uuid
LANGUAGE plpgsql
STABLE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF current_setting('attemptlog.viewer_role', true) IS DISTINCT FROM 'candidate' THEN
        RETURN NULL;
    END IF;
    RETURN coalesce(current_setting('attemptlog.viewer_id', true), '')::uuid;
EXCEPTION
    WHEN invalid_text_representation THEN
        RAISE EXCEPTION 'nobody has said which candidate looks'
        USING ERRCODE = 'insufficient_privilege', HINT = 'Set attemptlog.viewer_id to the candidate''s user_id.';
END
$$;

-- Empty for whoever is no examiner.
CREATE FUNCTION attemptlog_viewer_exams() RETURNS uuid[]
LANGUAGE plpgsql
STABLE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF current_setting('attemptlog.viewer_role', true) IS DISTINCT FROM 'examiner' THEN
        RETURN '{}';
    END IF;
    RETURN coalesce(current_setting('attemptlog.viewer_exams', true), '')::uuid[];
EXCEPTION
    WHEN invalid_text_representation THEN
        RAISE EXCEPTION 'nobody has said which exams the examiner may see'
        USING ERRCODE = 'insufficient_privilege', HINT = 'Set attemptlog.viewer_exams, such as {ID,ID}, or {} for none.';
END
$$;

-- In each view the role is asked for twice: by itself, which is looked at before any row, so that an error says when it
-- is missing and not no row; and in a query of its own, which is run once and not for each row. What a session that was
-- somebody else's says is not for who has it now.
CREATE VIEW readable_sessions WITH (security_barrier) AS
SELECT
    s.id AS session_id,
    s.user_id,
    s.exam_id,
    t.title AS exam_title,
    EXISTS (SELECT FROM attempt_events AS e WHERE e.session_id = s.id) AS has_events
FROM test_sessions AS s
LEFT JOIN exam_titles AS t ON t.exam_id = s.exam_id
WHERE attemptlog_viewer_role() IS NOT NULL
    AND (
        (SELECT attemptlog_viewer_role()) = 'auditor'
        OR s.exam_id = ANY ((SELECT attemptlog_viewer_exams())::uuid[])
        OR s.user_id = (SELECT attemptlog_viewer_id())
            AND NOT EXISTS (SELECT FROM attempt_events AS e WHERE e.session_id = s.id AND e.user_id <> s.user_id)
    );

CREATE VIEW readable_session_letters WITH (security_barrier) AS
SELECT d.session_id, d.id, d.reason, d.replay_outcome, d.first_seen_at, d.value
FROM readable_sessions AS s
JOIN dead_letters AS d ON d.session_id = s.session_id;

CREATE VIEW readable_session_titles WITH (security_barrier) AS
SELECT s.session_id, t.question_id, t.position, t.title
FROM readable_sessions AS s
JOIN question_titles AS t ON t.exam_id = s.exam_id;

-- What depends on which answers are right is not for candidates: they could read the key while they sit the exam.
DO $$
DECLARE
    wanted record;
    columns text;
BEGIN
    FOR wanted IN
        SELECT *
        FROM (
            VALUES
                ('readable_timeline', 'session_timeline', '{}'::text[], NULL),
                ('readable_logs', 'session_logs', '{}', NULL),
                ('readable_visits', 'session_visits', '{}', NULL),
                ('readable_absences', 'session_absences', '{}', NULL),
                ('readable_answers', 'session_answers', '{}', NULL),
                ('readable_streams', 'stream_completeness', '{}', NULL),
                ('readable_questions', 'session_questions', '{change_kind,mark}', 'mark_reason'),
                (
                    'readable_indicators', 'session_indicators',
                    '{wrong_to_right,right_to_wrong,wrong_to_wrong,right_to_right,marks}', 'marks_reason'
                )
        ) AS views (name, source, by_key, reason)
    LOOP
        SELECT string_agg(
            CASE
                WHEN attname = ANY (wanted.by_key)
                    THEN format('CASE WHEN attemptlog_viewer_role() <> ''candidate'' THEN it.%1$I END AS %1$I', attname)
                WHEN attname = wanted.reason
                    THEN format(
                        'CASE WHEN attemptlog_viewer_role() = ''candidate'' THEN ''not_shown'' ELSE it.%1$I END AS %1$I',
                        attname
                    )
                ELSE format('it.%I', attname)
            END,
            ', ' ORDER BY attnum
        )
        INTO columns
        FROM pg_attribute
        WHERE attrelid = wanted.source::regclass AND attnum > 0;
        EXECUTE format(
            'CREATE VIEW %I WITH (security_barrier) AS SELECT %s FROM readable_sessions AS s JOIN %I AS it '
            'ON it.session_id = s.session_id',
            wanted.name, columns, wanted.source
        );
    END LOOP;
END
$$;

-- What is read of the figures becomes a barrier over what it was, which keeps another name for the way back.
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY[
        'session_figures', 'question_figures', 'session_moves', 'figures_due', 'figures_progress', 'exam_questions',
        'answer_keys'
    ] LOOP
        EXECUTE format('CREATE VIEW all_%s AS %s', name, pg_get_viewdef('readable_' || name));
        EXECUTE format('REVOKE ALL ON all_%s FROM PUBLIC', name);
    END LOOP;
END
$$;

DO $$
DECLARE
    wanted record;
BEGIN
    FOR wanted IN
        SELECT *
        FROM (
            VALUES
                ('readable_session_figures', 'all_session_figures'),
                ('readable_question_figures', 'all_question_figures'),
                ('readable_session_moves', 'all_session_moves'),
                ('readable_figures_due', 'all_figures_due'),
                ('readable_exam_questions', 'all_exam_questions'),
                ('readable_answer_keys', 'all_answer_keys'),
                ('readable_exam_titles', 'exam_titles'),
                ('readable_question_titles', 'question_titles'),
                ('readable_groups', 'candidate_groups')
        ) AS views (name, source)
    LOOP
        EXECUTE format(
            'CREATE OR REPLACE VIEW %I WITH (security_barrier) AS SELECT it.* FROM %I AS it '
            'WHERE attemptlog_viewer_role() IS NOT NULL AND ('
            '(SELECT attemptlog_viewer_role()) = ''auditor'' '
            'OR it.exam_id = ANY ((SELECT attemptlog_viewer_exams())::uuid[]))',
            wanted.name, wanted.source
        );
    END LOOP;
END
$$;

CREATE OR REPLACE VIEW readable_figures_progress WITH (security_barrier) AS
SELECT it.*
FROM all_figures_progress AS it
WHERE attemptlog_viewer_role() IN ('examiner', 'auditor');

CREATE VIEW readable_accesses WITH (security_barrier) AS
SELECT id, accessed_at, accessed_by, command, reason, subject_kind, subject, is_pseudonym
FROM data_accesses
WHERE attemptlog_viewer_role() = 'auditor';

-- The reader has these views, and none of the tables; it may write down who looks.
DO $$
DECLARE
    view regclass;
BEGIN
    FOR view IN
        SELECT oid::regclass
        FROM pg_class
        WHERE relnamespace = current_schema()::regnamespace AND relkind = 'v' AND relname LIKE 'readable\_%'
    LOOP
        EXECUTE format('REVOKE ALL ON %s FROM PUBLIC', view);
        EXECUTE format('GRANT SELECT ON %s TO attemptlog_reader', view);
    END LOOP;
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO attemptlog_reader', current_schema());
END
$$;

REVOKE ALL ON FUNCTION attemptlog_viewer_role(), attemptlog_viewer_id(), attemptlog_viewer_exams() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
    attemptlog_viewer_role(), attemptlog_viewer_id(), attemptlog_viewer_exams(),
    refresh_figures(integer, uuid), exam_session_indicators(uuid, uuid[]), exam_question_indicators(uuid, uuid[]),
    exam_effort(uuid, uuid[]), exam_navigation(uuid, uuid[]), exam_freshness(uuid)
TO attemptlog_reader;
GRANT INSERT ON data_accesses TO attemptlog_reader;
GRANT SELECT ON suppressions, suppression_key, attemptlog_version TO attemptlog_reader;
