-- What the views of 0013 say of each session, kept, because an exam of a thousand sessions takes them a minute. Nothing
-- here depends on answer_keys, which the platform may change at any time: marks are added when figures are read.
CREATE TABLE session_figures (
    session_id uuid PRIMARY KEY,
    exam_id uuid,
    completion text NOT NULL,
    log_reason text,
    events bigint NOT NULL,
    lost bigint NOT NULL,
    began_at timestamptz NOT NULL,
    ended_at timestamptz,
    time_ms numeric,
    time_reason text,
    first_action_ms numeric,
    first_action_reason text,
    actions bigint,
    questions_viewed bigint,
    visits numeric,
    revisits numeric,
    absences bigint,
    absences_of_unknown_length bigint,
    absences_known_ms numeric,
    absences_in_another_tab bigint,
    answered bigint,
    changes numeric,
    answers_reason text,
    as_of timestamptz NOT NULL
);
CREATE INDEX ON session_figures (exam_id);

CREATE TABLE question_figures (
    session_id uuid,
    question_id uuid,
    visits numeric,
    revisits numeric,
    visits_reason text,
    dwell_ms numeric,
    dwell_reason text,
    present_ms numeric,
    present_reason text,
    first_answer_ms numeric,
    first_answer_reason text,
    first_choice numeric,
    last_choice numeric,
    changes bigint,
    answers_reason text,
    PRIMARY KEY (session_id, question_id)
);

-- How often a visit to one question followed one to another; of complete logs.
CREATE TABLE session_moves (
    session_id uuid,
    from_question_id uuid,
    to_question_id uuid,
    moves bigint NOT NULL,
    PRIMARY KEY (session_id, from_question_id, to_question_id)
);

-- Whose figures are to be worked out (again): the figures have what was stored before `since`, or it is not known what,
-- where that is null. Those go first whose `turn` is least.
CREATE TABLE figures_due (
    session_id uuid PRIMARY KEY,
    exam_id uuid,
    since timestamptz,
    turn timestamptz NOT NULL
);
CREATE INDEX ON figures_due (turn, session_id);
CREATE INDEX ON figures_due (exam_id, turn, session_id);

-- How far it is: all transactions before `watermark` were looked at, which has a meaning on one server only; to begin
-- with, the sessions from `next_session` on are entered, in the order of their ids. What was stored before `as_of` is
-- in the figures, or its session is due.
CREATE TABLE figures_progress (
    only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    system_identifier bigint NOT NULL,
    watermark xid8 NOT NULL,
    next_session uuid,
    compared_after uuid,
    as_of timestamptz
);

-- A dead letter that is replayed changes what its session lacks.
CREATE FUNCTION attemptlog_note_letter_change() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    NEW.changed_xid := pg_current_xact_id();
    RETURN NEW;
END
$$;

-- Enters sessions; one that is due already keeps its turn.
CREATE FUNCTION attemptlog_enter_due(sessions uuid[], since timestamptz[], turns timestamptz[]) RETURNS void
LANGUAGE sql
BEGIN ATOMIC
    INSERT INTO figures_due AS due (session_id, exam_id, since, turn)
    SELECT it.session_id, s.exam_id, it.since, it.turn
    FROM unnest(sessions, since, turns) AS it (session_id, since, turn)
    LEFT JOIN LATERAL (SELECT exam_id FROM test_sessions WHERE id = it.session_id OFFSET 0) AS s ON true
    ON CONFLICT (session_id) DO UPDATE
    SET
        exam_id = excluded.exam_id,
        since = CASE
            WHEN due.since IS NOT NULL AND excluded.since IS NOT NULL THEN least(due.since, excluded.since)
        END,
        turn = least(due.turn, excluded.turn)
    WHERE excluded.turn < due.turn
        OR excluded.since < due.since
        OR excluded.since IS NULL AND due.since IS NOT NULL
        OR excluded.exam_id IS DISTINCT FROM due.exam_id;
END;

-- What is purged goes with its figures. Whoever works figures out has the lock until they are committed, so that none
-- comes back.
CREATE FUNCTION attemptlog_forget_figures() RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
AS $$
DECLARE
    gone uuid[] := ARRAY(SELECT DISTINCT session_id FROM old_events);
    left_over uuid[];
BEGIN
    IF cardinality(gone) = 0 THEN
        RETURN NULL;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('attemptlog figures', 0));
    DELETE FROM session_figures WHERE session_id = ANY(gone);
    DELETE FROM question_figures WHERE session_id = ANY(gone);
    DELETE FROM session_moves WHERE session_id = ANY(gone);
    DELETE FROM figures_due WHERE session_id = ANY(gone);
    left_over := ARRAY(
        SELECT gone_id
        FROM unnest(gone) AS gone_id
        WHERE EXISTS (SELECT FROM attempt_events WHERE session_id = gone_id OFFSET 0)
    );
    PERFORM attemptlog_enter_due(
        left_over, array_fill(NULL::timestamptz, ARRAY[cardinality(left_over)]),
        array_fill(now(), ARRAY[cardinality(left_over)])
    );
    RETURN NULL;
END
$$;

CREATE FUNCTION attemptlog_forget_letters() RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
AS $$
DECLARE
    left_over uuid[] := ARRAY(
        SELECT gone_id
        FROM (SELECT DISTINCT session_id AS gone_id FROM old_letters) AS gone
        WHERE EXISTS (SELECT FROM attempt_events WHERE session_id = gone_id OFFSET 0)
    );
BEGIN
    IF cardinality(left_over) = 0 THEN
        RETURN NULL;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('attemptlog figures', 0));
    PERFORM attemptlog_enter_due(
        left_over, array_fill(now(), ARRAY[cardinality(left_over)]), array_fill(now(), ARRAY[cardinality(left_over)])
    );
    RETURN NULL;
END
$$;

CREATE VIEW session_exams AS
SELECT id AS session_id, exam_id
FROM test_sessions;

-- The exam as it was when the figures were worked out, and as the platform has it now. Each OFFSET 0 here and below
-- keeps a look-up one: the work is that of the sessions that are meant, and a planner would rather read all there are.
CREATE VIEW session_owners AS
SELECT f.session_id, f.exam_id AS figured_exam_id, s.exam_id, s.user_id
FROM session_figures AS f
LEFT JOIN LATERAL (SELECT exam_id, user_id FROM test_sessions WHERE id = f.session_id OFFSET 0) AS s ON true;

-- Enters the sessions of the next transactions as far as all have ended (docs/export.md has the proof), of the next
-- stretch where it begins with all sessions, and those that the platform has given to another exam. Returns whether
-- nothing is left to look at.
CREATE FUNCTION attemptlog_look_for_changes(
    most_rows integer DEFAULT 20000, most_sessions integer DEFAULT 1000, most_compared integer DEFAULT 500
) RETURNS boolean
LANGUAGE plpgsql
AS $$
DECLARE
    begun CONSTANT timestamptz := clock_timestamp();
    progress figures_progress;
    horizon xid8;
    upper xid8;
    sessions uuid[];
    times timestamptz[];
BEGIN
    SELECT * INTO progress FROM figures_progress;
    IF NOT FOUND
        OR progress.system_identifier <> (SELECT system_identifier FROM pg_control_system())
        OR progress.watermark > pg_snapshot_xmax(pg_current_snapshot())
    THEN
        DELETE FROM figures_progress;
        INSERT INTO figures_progress (system_identifier, watermark, next_session)
        SELECT system_identifier, pg_snapshot_xmin(pg_current_snapshot()), '00000000-0000-0000-0000-000000000000'
        FROM pg_control_system()
        RETURNING * INTO progress;
    END IF;

    -- The row that fills a window ends it, and its whole transaction goes with it.
    SELECT
        pg_snapshot_xmin(pg_current_snapshot()),
        CASE
            WHEN count(*) < most_rows THEN greatest(progress.watermark, pg_snapshot_xmin(pg_current_snapshot()))
            ELSE (max(xid)::text::numeric + 1)::text::xid8
        END
    INTO horizon, upper
    FROM (
        SELECT xid
        FROM (
            (
                SELECT export_xid AS xid
                FROM attempt_events
                WHERE export_xid >= progress.watermark AND export_xid < pg_snapshot_xmin(pg_current_snapshot())
                ORDER BY export_xid
                LIMIT most_rows
            )
            UNION ALL
            (
                SELECT changed_xid
                FROM dead_letters
                WHERE changed_xid >= progress.watermark AND changed_xid < pg_snapshot_xmin(pg_current_snapshot())
                ORDER BY changed_xid
                LIMIT most_rows
            )
        ) AS changed
        ORDER BY xid
        LIMIT most_rows
    ) AS next;

    SELECT array_agg(session_id), array_agg(since)
    INTO sessions, times
    FROM (
        SELECT session_id, min(since) AS since
        FROM (
            SELECT session_id, created_at AS since
            FROM attempt_events
            WHERE export_xid >= progress.watermark AND export_xid < upper
            UNION ALL
            SELECT session_id, coalesce(replayed_at, first_seen_at)
            FROM dead_letters
            WHERE changed_xid >= progress.watermark AND changed_xid < upper
                AND EXISTS (SELECT FROM attempt_events AS e WHERE e.session_id = dead_letters.session_id OFFSET 0)
        ) AS changed
        GROUP BY session_id
    ) AS due;
    PERFORM attemptlog_enter_due(sessions, times, times);

    IF progress.next_session IS NOT NULL THEN
        sessions := ARRAY(
            WITH RECURSIVE each (id) AS (
                (
                    SELECT session_id
                    FROM attempt_events
                    WHERE session_id >= progress.next_session
                    ORDER BY session_id
                    LIMIT 1
                )
                UNION ALL
                SELECT (
                    SELECT session_id FROM attempt_events WHERE session_id > each.id ORDER BY session_id LIMIT 1
                )
                FROM each
                WHERE each.id IS NOT NULL
            )
            SELECT id
            FROM each
            WHERE id IS NOT NULL
            LIMIT most_sessions + 1
        );
        progress.next_session := sessions[most_sessions + 1];
        sessions := sessions[1:most_sessions];
        PERFORM attemptlog_enter_due(sessions, NULL, array_fill(timestamptz 'infinity', ARRAY[cardinality(sessions)]));
    END IF;

    sessions := ARRAY(
        SELECT session_id
        FROM session_figures
        WHERE session_id > coalesce(progress.compared_after, '00000000-0000-0000-0000-000000000000')
        ORDER BY session_id
        LIMIT most_compared
    );
    progress.compared_after := sessions[most_compared];
    sessions := ARRAY(
        SELECT o.session_id
        FROM unnest(sessions) AS compared_id
        CROSS JOIN LATERAL (SELECT * FROM session_owners WHERE session_id = compared_id OFFSET 0) AS o
        WHERE o.exam_id IS DISTINCT FROM o.figured_exam_id
    );
    PERFORM attemptlog_enter_due(sessions, NULL, array_fill(now(), ARRAY[cardinality(sessions)]));

    -- What ended before the first transaction that is left began, has a smaller id than that one.
    UPDATE figures_progress
    SET
        watermark = upper,
        next_session = progress.next_session,
        compared_after = progress.compared_after,
        as_of = CASE WHEN progress.next_session IS NULL THEN least(
            begun,
            (SELECT created_at FROM attempt_events WHERE export_xid >= upper ORDER BY export_xid LIMIT 1),
            (
                SELECT coalesce(replayed_at, first_seen_at)
                FROM dead_letters
                WHERE changed_xid >= upper
                ORDER BY changed_xid
                LIMIT 1
            )
        ) END;
    RETURN upper >= horizon AND progress.next_session IS NULL;
END
$$;

-- All that is said of these sessions is from one snapshot. Rows that say the same as before are left alone.
CREATE FUNCTION attemptlog_work_out(chosen uuid[]) RETURNS void
LANGUAGE plpgsql
AS $$
DECLARE
    begun CONSTANT timestamptz := clock_timestamp();
    of_sessions session_figures[];
    of_questions question_figures[];
    of_moves session_moves[];
BEGIN
    WITH lines AS MATERIALIZED (
        SELECT l.*, t.exam_id
        FROM unnest(chosen) AS chosen_id
        CROSS JOIN LATERAL (SELECT * FROM session_lines WHERE session_id = chosen_id OFFSET 0) AS l
        LEFT JOIN LATERAL (SELECT exam_id FROM session_exams WHERE session_id = chosen_id OFFSET 0) AS t ON true
    ),
    found AS MATERIALIZED (
        SELECT f.*, lines.exam_id
        FROM lines
        CROSS JOIN LATERAL line_figures(timeline, told_dropped, open_letters) AS f
    )
    SELECT
        ARRAY(
            SELECT ROW(
                session_id, exam_id, completion, log_reason, events, lost, began_at, ended_at, time_ms, time_reason,
                first_action_ms, first_action_reason, actions, questions_viewed, visits, revisits, absences,
                absences_of_unknown_length, absences_known_ms, absences_in_another_tab, answered, changes,
                answers_reason, begun
            )::session_figures
            FROM found
        ),
        ARRAY(
            SELECT ROW(q.*)::question_figures
            FROM lines
            CROSS JOIN LATERAL line_questions(timeline, told_dropped, open_letters) AS q
        ),
        ARRAY(
            SELECT ROW(session_id, question_id, next_question_id, count(*))::session_moves
            FROM (
                SELECT
                    v.session_id, v.question_id,
                    lead(v.question_id) OVER (PARTITION BY v.session_id ORDER BY v.visit) AS next_question_id
                FROM lines
                CROSS JOIN LATERAL line_visits(timeline) AS v
                WHERE EXISTS (SELECT FROM found AS f WHERE f.session_id = lines.session_id AND f.log_reason IS NULL)
            ) AS v
            WHERE next_question_id <> question_id
            GROUP BY session_id, question_id, next_question_id
        )
    INTO of_sessions, of_questions, of_moves;

    DELETE FROM session_figures WHERE session_id = ANY(chosen);
    INSERT INTO session_figures SELECT * FROM unnest(of_sessions);

    DELETE FROM question_figures AS old
    WHERE session_id = ANY(chosen) AND NOT EXISTS (
        SELECT
        FROM unnest(of_questions) AS new
        WHERE new.session_id = old.session_id AND new.question_id = old.question_id AND new = old
    );
    INSERT INTO question_figures SELECT * FROM unnest(of_questions) ON CONFLICT DO NOTHING;

    DELETE FROM session_moves AS old
    WHERE session_id = ANY(chosen) AND NOT EXISTS (
        SELECT
        FROM unnest(of_moves) AS new
        WHERE new.session_id = old.session_id
            AND new.from_question_id = old.from_question_id
            AND new.to_question_id = old.to_question_id
            AND new = old
    );
    INSERT INTO session_moves SELECT * FROM unnest(of_moves) ON CONFLICT DO NOTHING;
END
$$;

-- Looks for what has changed, and works at most so many sessions out, of one exam if it is named; returns how many are
-- left, up to 10,000 of them. One at a time: there is no row where another is at it. Whoever may execute it can only
-- have the figures say what the events do.
CREATE FUNCTION refresh_figures(most integer, exam uuid DEFAULT NULL) RETURNS TABLE (
    worked_out bigint, due bigint, is_caught_up boolean
)
LANGUAGE plpgsql
SECURITY DEFINER
SET jit = off
SET enable_seqscan = off
SET plan_cache_mode = force_generic_plan
SET row_security = off
AS $$
DECLARE
    chosen uuid[];
BEGIN
    IF NOT pg_try_advisory_xact_lock(hashtextextended('attemptlog figures', 0)) THEN
        RETURN;
    END IF;
    most := least(greatest(most, 0), 1000);  -- whoever purges waits for this
    is_caught_up := attemptlog_look_for_changes();
    IF exam IS NULL THEN
        chosen := ARRAY(SELECT d.session_id FROM figures_due AS d ORDER BY d.turn, d.session_id LIMIT most);
    ELSE
        chosen := ARRAY(
            SELECT d.session_id FROM figures_due AS d WHERE d.exam_id = exam ORDER BY d.turn, d.session_id LIMIT most
        );
    END IF;
    PERFORM attemptlog_work_out(chosen);
    DELETE FROM figures_due WHERE session_id = ANY(chosen);
    worked_out := cardinality(chosen);
    -- counting all would cost more than the work
    due := CASE WHEN exam IS NULL
        THEN (SELECT count(*) FROM (SELECT FROM figures_due LIMIT 10000) AS d)
        ELSE (SELECT count(*) FROM figures_due AS d WHERE d.exam_id = exam)
    END;
    RETURN NEXT;
END
$$;

DO $$
DECLARE
    function regprocedure;
BEGIN
    FOREACH function IN ARRAY ARRAY[
        'attemptlog_forget_figures()'::regprocedure, 'attemptlog_forget_letters()', 'refresh_figures(integer, uuid)'
    ] LOOP
        EXECUTE format('ALTER FUNCTION %s SET search_path = %I, pg_temp', function, current_schema());
    END LOOP;
END
$$;

CREATE VIEW marked_questions AS
SELECT
    o.session_id,
    o.figured_exam_id AS exam_id,
    q.question_id,
    q.visits,
    q.revisits,
    q.visits_reason,
    q.dwell_ms,
    q.dwell_reason,
    q.present_ms,
    q.present_reason,
    q.first_answer_ms,
    q.first_answer_reason,
    q.first_choice,
    q.last_choice,
    q.changes,
    q.answers_reason,
    change_by_key(q.first_choice, q.last_choice, q.changes, k.choice) AS change_kind,
    mark_by_key(q.answers_reason, q.last_choice, k.choice) AS mark,
    coalesce(q.answers_reason, CASE WHEN k.choice IS NULL THEN 'no_key' END) AS mark_reason
FROM session_owners AS o
CROSS JOIN LATERAL (SELECT * FROM question_figures WHERE session_id = o.session_id OFFSET 0) AS q
LEFT JOIN answer_keys AS k ON k.exam_id = o.figured_exam_id AND k.question_id = q.question_id
WHERE o.exam_id IS NOT DISTINCT FROM o.figured_exam_id;

-- What is read of the figures: whoever is to see some of it only is given it here. A session that the platform has
-- given to another exam is in neither until its figures say so.
CREATE VIEW readable_session_figures AS
SELECT
    f.session_id,
    o.user_id,
    f.exam_id,
    f.completion,
    f.log_reason IS NULL AS is_complete,
    f.log_reason,
    f.events,
    f.lost,
    f.began_at,
    f.ended_at,
    f.time_ms,
    f.time_reason,
    f.first_action_ms,
    f.first_action_reason,
    f.actions,
    f.questions_viewed,
    f.visits,
    f.revisits,
    f.absences,
    f.absences_of_unknown_length,
    f.absences_known_ms,
    f.absences_in_another_tab,
    f.log_reason AS counts_reason,
    f.answered,
    f.changes,
    f.answers_reason,
    CASE WHEN m.reason IS NULL THEN m.wrong_to_right END AS wrong_to_right,
    CASE WHEN m.reason IS NULL THEN m.right_to_wrong END AS right_to_wrong,
    CASE WHEN m.reason IS NULL THEN m.wrong_to_wrong END AS wrong_to_wrong,
    CASE WHEN m.reason IS NULL THEN m.right_to_right END AS right_to_right,
    CASE WHEN m.reason IS NULL THEN m.marks END AS marks,
    m.reason AS marks_reason,
    f.as_of
FROM session_figures AS f
JOIN session_owners AS o ON o.session_id = f.session_id
LEFT JOIN LATERAL (
    SELECT
        count(*) FILTER (WHERE q.change_kind = 'WR') AS wrong_to_right,
        count(*) FILTER (WHERE q.change_kind = 'RW') AS right_to_wrong,
        count(*) FILTER (WHERE q.change_kind = 'WW') AS wrong_to_wrong,
        count(*) FILTER (WHERE q.change_kind = 'RR') AS right_to_right,
        coalesce(sum(q.mark), 0) AS marks,
        coalesce(f.answers_reason, CASE WHEN bool_or(q.mark_reason = 'no_key') THEN 'no_key' END) AS reason
    FROM marked_questions AS q
    WHERE q.session_id = f.session_id
) AS m ON true
WHERE o.exam_id IS NOT DISTINCT FROM f.exam_id;

CREATE VIEW readable_question_figures AS
SELECT * FROM marked_questions;

CREATE VIEW readable_session_moves AS
SELECT o.session_id, o.figured_exam_id AS exam_id, m.from_question_id, m.to_question_id, m.moves
FROM session_owners AS o
CROSS JOIN LATERAL (SELECT * FROM session_moves WHERE session_id = o.session_id OFFSET 0) AS m
WHERE o.exam_id IS NOT DISTINCT FROM o.figured_exam_id;

CREATE VIEW readable_figures_due AS
SELECT session_id, exam_id, since
FROM figures_due;

CREATE VIEW readable_figures_progress AS
SELECT as_of
FROM figures_progress;

CREATE VIEW readable_exam_questions AS
SELECT exam_id, question_id
FROM exam_questions;

CREATE VIEW readable_answer_keys AS
SELECT exam_id, question_id, choice
FROM answer_keys;

-- The functions of 0013, from what is kept, and of some of the sessions only where these are named.
DROP FUNCTION exam_navigation(uuid), exam_effort(uuid), exam_question_indicators(uuid), exam_session_indicators(uuid);

CREATE FUNCTION exam_session_indicators(exam uuid, among uuid[] DEFAULT NULL) RETURNS SETOF readable_session_figures
LANGUAGE sql
STABLE
BEGIN ATOMIC
    SELECT f.*
    FROM readable_session_figures AS f
    WHERE f.exam_id = exam AND (among IS NULL OR f.session_id = ANY(among));
END;

-- One row per question of the exam. Times are of complete logs; marks of sessions whose answers are all known, and what
-- was not answered has 0. Facility, discrimination and efficiency are Moodle's; a threshold (NT10) is a tenth of the
-- mean time, at most 10 s, and from 30 times on.
CREATE FUNCTION exam_question_indicators(exam uuid, among uuid[] DEFAULT NULL) RETURNS TABLE (
    question_id uuid, sessions bigint, complete bigint, viewed bigint, mean_visits numeric, times bigint,
    mean_ms numeric, median_ms numeric, rapid_below_ms numeric, rapid bigint, rapid_reason text, marked bigint,
    facility numeric, discrimination numeric, efficiency numeric, marks_reason text, changed bigint,
    wrong_to_right bigint, right_to_wrong bigint, wrong_to_wrong bigint, right_to_right bigint
)
LANGUAGE sql
STABLE
BEGIN ATOMIC
    WITH logs AS MATERIALIZED (
        SELECT f.session_id, f.is_complete, f.answers_reason
        FROM readable_session_figures AS f
        WHERE f.exam_id = exam AND (among IS NULL OR f.session_id = ANY(among))
    ),
    figures AS MATERIALIZED (
        SELECT q.session_id, q.question_id, q.visits, q.dwell_ms, q.changes, q.change_kind, q.mark
        FROM readable_question_figures AS q
        WHERE q.exam_id = exam AND (among IS NULL OR q.session_id = ANY(among))
    ),
    keys AS MATERIALIZED (
        SELECT k.question_id FROM readable_answer_keys AS k WHERE k.exam_id = exam
    ),
    asked AS (
        SELECT e.question_id FROM readable_exam_questions AS e WHERE e.exam_id = exam
        UNION
        SELECT figures.question_id FROM figures
    ),
    totals AS (
        SELECT figures.session_id, sum(mark) AS marks FROM figures GROUP BY figures.session_id
    ),
    marks AS (
        SELECT
            k.question_id, coalesce(f.mark, 0) AS mark, coalesce(t.marks, 0) - coalesce(f.mark, 0) AS rest
        FROM logs AS l
        CROSS JOIN keys AS k
        LEFT JOIN totals AS t ON t.session_id = l.session_id
        LEFT JOIN figures AS f ON f.session_id = l.session_id AND f.question_id = k.question_id
        WHERE l.answers_reason IS NULL
    ),
    -- As marks are 0 or 1, those that are 1 are the last of them when they are sorted.
    ranked AS (
        SELECT
            marks.*,
            row_number() OVER (PARTITION BY marks.question_id ORDER BY rest)
                > count(*) OVER (PARTITION BY marks.question_id) - sum(mark) OVER (PARTITION BY marks.question_id)
                AS has_best_mark
        FROM marks
    ),
    of_marks AS (
        SELECT
            r.question_id, count(*) AS marked, avg(mark) AS facility, corr(mark, rest) AS correlation,
            covar_samp(mark, rest) / nullif(covar_samp(has_best_mark::integer, rest), 0) AS efficiency
        FROM ranked AS r
        GROUP BY r.question_id
    ),
    of_times AS (
        SELECT
            f.question_id, count(visits) FILTER (WHERE visits > 0) AS viewed, avg(visits) AS mean_visits,
            count(dwell_ms) FILTER (WHERE visits > 0) AS times, avg(dwell_ms) FILTER (WHERE visits > 0) AS mean_ms,
            percentile_cont(0.5) WITHIN GROUP (ORDER BY dwell_ms) FILTER (WHERE visits > 0) AS median_ms,
            count(*) FILTER (WHERE changes > 0) AS changed,
            count(*) FILTER (WHERE change_kind = 'WR') AS wr, count(*) FILTER (WHERE change_kind = 'RW') AS rw,
            count(*) FILTER (WHERE change_kind = 'WW') AS ww, count(*) FILTER (WHERE change_kind = 'RR') AS rr
        FROM figures AS f
        GROUP BY f.question_id
    ),
    thresholds AS (
        SELECT of_times.*, CASE WHEN times >= 30 THEN least(mean_ms / 10, 10000) END AS below_ms FROM of_times
    ),
    rapid AS (
        SELECT t.question_id, count(*) FILTER (WHERE f.visits > 0 AND f.dwell_ms < t.below_ms) AS times
        FROM thresholds AS t
        JOIN figures AS f ON f.question_id = t.question_id
        WHERE t.below_ms IS NOT NULL
        GROUP BY t.question_id
    )
    SELECT
        a.question_id,
        (SELECT count(*) FROM logs),
        (SELECT count(*) FROM logs WHERE is_complete),
        coalesce(t.viewed, 0),
        round(t.mean_visits, 3),
        coalesce(t.times, 0),
        round(t.mean_ms, 3),
        round(t.median_ms::numeric, 3),
        round(t.below_ms, 3),
        r.times,
        CASE WHEN t.below_ms IS NULL THEN 'too_few' END,
        coalesce(m.marked, 0),
        round(m.facility, 6),
        round((100 * m.correlation)::numeric, 6),
        round((100 * m.efficiency)::numeric, 6),
        CASE
            WHEN k.question_id IS NULL THEN 'no_key'
            WHEN m.marked IS NULL THEN 'no_marks'
            WHEN m.correlation IS NULL THEN 'no_spread'
        END,
        coalesce(t.changed, 0),
        coalesce(t.wr, 0),
        coalesce(t.rw, 0),
        coalesce(t.ww, 0),
        coalesce(t.rr, 0)
    FROM asked AS a
    LEFT JOIN thresholds AS t ON t.question_id = a.question_id
    LEFT JOIN rapid AS r ON r.question_id = a.question_id
    LEFT JOIN of_marks AS m ON m.question_id = a.question_id
    LEFT JOIN keys AS k ON k.question_id = a.question_id;
END;

-- Response-time effort: which share of the questions with a time took as long as their threshold.
CREATE FUNCTION exam_effort(exam uuid, among uuid[] DEFAULT NULL) RETURNS TABLE (
    session_id uuid, questions bigint, effort numeric, reason text
)
LANGUAGE sql
STABLE
BEGIN ATOMIC
    WITH thresholds AS MATERIALIZED (
        SELECT i.question_id, i.rapid_below_ms FROM exam_question_indicators(exam, among) AS i
    ),
    times AS (
        SELECT
            q.session_id, count(q.dwell_ms) AS questions, avg((q.dwell_ms >= t.rapid_below_ms)::integer) AS effort,
            min(q.dwell_reason) AS reason, count(*) FILTER (WHERE t.rapid_below_ms IS NULL) AS without_threshold
        FROM readable_question_figures AS q
        LEFT JOIN thresholds AS t ON t.question_id = q.question_id
        WHERE q.exam_id = exam
            AND (among IS NULL OR q.session_id = ANY(among))
            AND (q.visits > 0 OR q.visits IS NULL)
        GROUP BY q.session_id
    )
    SELECT
        f.session_id,
        coalesce(q.questions, 0),
        CASE WHEN q.reason IS NULL AND q.without_threshold = 0 AND q.questions > 0 THEN round(q.effort, 6) END,
        coalesce(
            q.reason,
            CASE
                WHEN q.without_threshold > 0 THEN 'too_few'
                WHEN coalesce(q.questions, 0) = 0 THEN 'not_viewed'
            END
        )
    FROM readable_session_figures AS f
    LEFT JOIN times AS q ON q.session_id = f.session_id
    WHERE f.exam_id = exam AND (among IS NULL OR f.session_id = ANY(among));
END;

-- How often, and in how many sessions, a visit to one question followed one to another; of complete logs.
CREATE FUNCTION exam_navigation(exam uuid, among uuid[] DEFAULT NULL) RETURNS TABLE (
    from_question_id uuid, to_question_id uuid, moves bigint, sessions bigint
)
LANGUAGE sql
STABLE
BEGIN ATOMIC
    SELECT m.from_question_id, m.to_question_id, sum(m.moves)::bigint, count(*)
    FROM readable_session_moves AS m
    WHERE m.exam_id = exam AND (among IS NULL OR m.session_id = ANY(among))
    GROUP BY m.from_question_id, m.to_question_id;
END;

-- What was stored before `as_of` is in the figures of the exam; null where that cannot be said yet. `due` sessions have
-- figures that are older than what is stored of them, or none.
CREATE FUNCTION exam_freshness(exam uuid) RETURNS TABLE (as_of timestamptz, due bigint)
LANGUAGE sql
STABLE
BEGIN ATOMIC
    SELECT
        CASE WHEN count(*) = count(d.since)
            THEN least(min(d.since), (SELECT p.as_of FROM readable_figures_progress AS p))
        END,
        count(*)
    FROM readable_figures_due AS d
    WHERE d.exam_id = exam;
END;

REVOKE ALL ON
    session_figures, question_figures, session_moves, figures_due, figures_progress, session_exams, session_owners,
    marked_questions, readable_session_figures, readable_question_figures, readable_session_moves, readable_figures_due,
    readable_figures_progress, readable_exam_questions, readable_answer_keys
FROM PUBLIC;
REVOKE ALL ON FUNCTION
    refresh_figures(integer, uuid), attemptlog_look_for_changes(integer, integer, integer),
    attemptlog_work_out(uuid[]), attemptlog_enter_due(uuid[], timestamptz[], timestamptz[]),
    exam_session_indicators(uuid, uuid[]), exam_question_indicators(uuid, uuid[]), exam_effort(uuid, uuid[]),
    exam_navigation(uuid, uuid[]), exam_freshness(uuid)
FROM PUBLIC;

-- Last, because from here on whoever stores waits for the end of the transaction.
CREATE TRIGGER dead_letters_change
BEFORE UPDATE ON dead_letters
FOR EACH ROW
EXECUTE FUNCTION attemptlog_note_letter_change();

CREATE TRIGGER attempt_events_forget_figures
AFTER DELETE ON attempt_events
REFERENCING OLD TABLE AS old_events
FOR EACH STATEMENT
EXECUTE FUNCTION attemptlog_forget_figures();

CREATE TRIGGER dead_letters_forget
AFTER DELETE ON dead_letters
REFERENCING OLD TABLE AS old_letters
FOR EACH STATEMENT
EXECUTE FUNCTION attemptlog_forget_letters();
