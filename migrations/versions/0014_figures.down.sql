-- What was worked out is forgotten, and can be worked out again.
DROP FUNCTION exam_freshness(uuid), exam_navigation(uuid, uuid[]), exam_effort(uuid, uuid[]),
    exam_question_indicators(uuid, uuid[]), exam_session_indicators(uuid, uuid[]);

DROP VIEW readable_answer_keys, readable_exam_questions, readable_figures_progress, readable_figures_due,
    readable_session_moves, readable_question_figures, readable_session_figures, marked_questions;

DROP FUNCTION refresh_figures(integer, uuid), attemptlog_work_out(uuid[]),
    attemptlog_look_for_changes(integer, integer, integer);

DROP TRIGGER dead_letters_forget ON dead_letters;
DROP TRIGGER dead_letters_change ON dead_letters;
DROP TRIGGER attempt_events_forget_figures ON attempt_events;
DROP FUNCTION attemptlog_forget_letters(), attemptlog_forget_figures(), attemptlog_note_letter_change(),
    attemptlog_enter_due(uuid[], timestamptz[], timestamptz[]);

DROP VIEW session_owners;
DROP TABLE figures_progress, figures_due, session_moves, question_figures, session_figures;

DROP INDEX dead_letters_changed_xid_idx;
ALTER TABLE dead_letters DROP COLUMN changed_xid;

-- Of an exam, session by session: each is read by the index.
CREATE FUNCTION exam_session_indicators(exam uuid) RETURNS SETOF session_indicators
LANGUAGE sql
STABLE
BEGIN ATOMIC
    SELECT i.*
    FROM test_sessions AS s
    CROSS JOIN LATERAL (SELECT * FROM session_indicators WHERE session_id = s.id OFFSET 0) AS i
    WHERE s.exam_id = exam;
END;

-- One row per question of the exam. Times are of complete logs; marks of sessions whose answers are all known, and what
-- was not answered has 0. Facility, discrimination and efficiency are Moodle's; a threshold (NT10) is a tenth of the
-- mean time, at most 10 s, and from 30 times on.
CREATE FUNCTION exam_question_indicators(exam uuid) RETURNS TABLE (
    question_id uuid, sessions bigint, complete bigint, viewed bigint, mean_visits numeric, times bigint,
    mean_ms numeric, median_ms numeric, rapid_below_ms numeric, rapid bigint, rapid_reason text, marked bigint,
    facility numeric, discrimination numeric, efficiency numeric, marks_reason text, changed bigint,
    wrong_to_right bigint, right_to_wrong bigint, wrong_to_wrong bigint, right_to_right bigint
)
LANGUAGE sql
STABLE
BEGIN ATOMIC
    WITH logs AS MATERIALIZED (
        SELECT l.session_id, l.reason, l.answers_reason
        FROM test_sessions AS s
        CROSS JOIN LATERAL (SELECT * FROM session_logs WHERE session_id = s.id OFFSET 0) AS l
        WHERE s.exam_id = exam
    ),
    figures AS MATERIALIZED (
        SELECT f.*
        FROM logs
        CROSS JOIN LATERAL (SELECT * FROM session_questions WHERE session_id = logs.session_id OFFSET 0) AS f
    ),
    asked AS (
        SELECT e.question_id FROM exam_questions AS e WHERE e.exam_id = exam
        UNION
        SELECT figures.question_id FROM figures
    ),
    marks AS (
        SELECT
            l.session_id, k.question_id, coalesce(f.mark, 0)::numeric AS mark,
            sum(coalesce(f.mark, 0)) OVER (PARTITION BY l.session_id) - coalesce(f.mark, 0) AS rest
        FROM logs AS l
        CROSS JOIN answer_keys AS k
        LEFT JOIN figures AS f ON f.session_id = l.session_id AND f.question_id = k.question_id
        WHERE k.exam_id = exam
            AND l.answers_reason IS NULL
            AND NOT EXISTS (
                SELECT FROM figures AS t WHERE t.session_id = l.session_id AND t.answers_reason IS NOT NULL
            )
    ),
    ranked AS (
        SELECT
            marks.*,
            row_number() OVER (PARTITION BY marks.question_id ORDER BY mark) AS by_mark,
            row_number() OVER (PARTITION BY marks.question_id ORDER BY rest) AS by_rest
        FROM marks
    ),
    best AS (
        SELECT m.question_id, covar_samp(m.mark, r.rest) AS covariance
        FROM ranked AS m
        JOIN ranked AS r ON r.question_id = m.question_id AND r.by_rest = m.by_mark
        GROUP BY m.question_id
    ),
    of_marks AS (
        SELECT
            m.question_id, count(*) AS marked, avg(mark) AS facility, corr(mark, rest) AS correlation,
            covar_samp(mark, rest) / nullif(min(best.covariance), 0) AS efficiency
        FROM marks AS m
        JOIN best ON best.question_id = m.question_id
        GROUP BY m.question_id
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
    )
    SELECT
        a.question_id,
        (SELECT count(*) FROM logs),
        (SELECT count(*) FROM logs WHERE reason IS NULL),
        coalesce(t.viewed, 0),
        round(t.mean_visits, 3),
        coalesce(t.times, 0),
        round(t.mean_ms, 3),
        round(t.median_ms::numeric, 3),
        round(t.below_ms, 3),
        CASE WHEN t.below_ms IS NOT NULL THEN (
            SELECT count(*)
            FROM figures AS f
            WHERE f.question_id = a.question_id AND f.visits > 0 AND f.dwell_ms < t.below_ms
        ) END,
        CASE WHEN t.below_ms IS NULL THEN 'too_few' END,
        coalesce(m.marked, 0),
        round(m.facility, 6),
        round((100 * m.correlation)::numeric, 6),
        round((100 * m.efficiency)::numeric, 6),
        CASE
            WHEN k.choice IS NULL THEN 'no_key'
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
    LEFT JOIN of_marks AS m ON m.question_id = a.question_id
    LEFT JOIN answer_keys AS k ON k.exam_id = exam AND k.question_id = a.question_id;
END;

-- Response-time effort: which share of the questions with a time took as long as their threshold.
CREATE FUNCTION exam_effort(exam uuid) RETURNS TABLE (session_id uuid, questions bigint, effort numeric, reason text)
LANGUAGE sql
STABLE
BEGIN ATOMIC
    WITH thresholds AS MATERIALIZED (
        SELECT i.question_id, i.rapid_below_ms FROM exam_question_indicators(exam) AS i
    )
    SELECT
        s.id,
        q.questions,
        CASE WHEN q.reason IS NULL AND q.without_threshold = 0 AND q.questions > 0 THEN round(q.effort, 6) END,
        coalesce(
            q.reason,
            CASE WHEN q.without_threshold > 0 THEN 'too_few' WHEN q.questions = 0 THEN 'not_viewed' END
        )
    FROM test_sessions AS s
    CROSS JOIN LATERAL (
        SELECT
            count(f.dwell_ms) AS questions, avg((f.dwell_ms >= t.rapid_below_ms)::integer) AS effort,
            min(f.dwell_reason) AS reason,
            count(*) FILTER (WHERE t.rapid_below_ms IS NULL) AS without_threshold
        FROM (SELECT * FROM session_questions AS g WHERE g.session_id = s.id OFFSET 0) AS f
        LEFT JOIN thresholds AS t ON t.question_id = f.question_id
        WHERE f.visits > 0 OR f.visits IS NULL
    ) AS q
    WHERE s.exam_id = exam AND EXISTS (SELECT FROM attempt_events AS e WHERE e.session_id = s.id);
END;

-- How often, and in how many sessions, a visit to one question followed one to another; of complete logs.
CREATE FUNCTION exam_navigation(exam uuid) RETURNS TABLE (
    from_question_id uuid, to_question_id uuid, moves bigint, sessions bigint
)
LANGUAGE sql
STABLE
BEGIN ATOMIC
    SELECT v.question_id, v.next_question_id, count(*), count(DISTINCT v.session_id)
    FROM test_sessions AS s
    CROSS JOIN LATERAL (SELECT l.reason FROM session_logs AS l WHERE l.session_id = s.id OFFSET 0) AS log
    CROSS JOIN LATERAL (
        SELECT w.session_id, w.question_id, lead(w.question_id) OVER (ORDER BY w.visit) AS next_question_id
        FROM session_visits AS w
        WHERE w.session_id = s.id
        OFFSET 0
    ) AS v
    WHERE s.exam_id = exam AND log.reason IS NULL AND v.next_question_id <> v.question_id
    GROUP BY v.question_id, v.next_question_id;
END;

REVOKE ALL ON FUNCTION
    exam_session_indicators(uuid), exam_question_indicators(uuid), exam_effort(uuid), exam_navigation(uuid)
FROM PUBLIC;
