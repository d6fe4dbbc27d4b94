-- What the events say, and where they do not say it: null, with the reason beside it. docs/indicators.md has each figure's
-- definition and source. What is in a payload is a convention that nobody checks, hence the paths. Every window and group is within a session, so that a condition on session_id reaches the index.

-- The platform's to fill; a question without a key has no marks. One of the platform's own is used as it is, if it fits.
DO $$
BEGIN
    IF to_regclass('answer_keys') IS NULL THEN
        CREATE TABLE answer_keys (
            exam_id uuid,
            question_id uuid,
            choice integer NOT NULL CHECK (choice >= 0),
            PRIMARY KEY (exam_id, question_id)
        );
        COMMENT ON TABLE answer_keys IS 'created by attemptlog';
        REVOKE ALL ON answer_keys FROM PUBLIC;
    ELSIF 3 <> (
        SELECT count(*)
        FROM pg_attribute
        WHERE attrelid = to_regclass('answer_keys') AND NOT attisdropped
            AND (attname, atttypid::regtype::text) IN (
                ('exam_id', 'uuid'), ('question_id', 'uuid'), ('choice', 'integer')
            )
    ) THEN
        RAISE EXCEPTION 'attemptlog cannot use the answer_keys that is here: it must have exam_id and question_id of '
            'type uuid, and choice of type integer'
        USING HINT = 'Rename the table, and migrate again.';
    END IF;
END
$$;

-- How whole the log of a session is. `reason` is the first of what keeps counts over all of it from being known.
CREATE VIEW session_logs AS
SELECT
    *,
    CASE
        WHEN lost > 0 THEN 'gap'
        WHEN dead_letters > 0 THEN 'dead_letter'
        WHEN dropped > 0 THEN 'dropped'
        WHEN unnumbered > 0 THEN 'unnumbered'
        WHEN ended_at IS NULL THEN 'no_end'
    END AS reason,
    CASE
        WHEN dead_letters > 0 THEN 'dead_letter'
        WHEN answers_of_pages = 0 AND answers > 0 AND ended_at IS NOT NULL THEN NULL
        WHEN lost > 0 THEN 'gap'
        WHEN dropped > 0 THEN 'dropped'
        WHEN unnumbered > 0 THEN 'unnumbered'
        WHEN ended_at IS NULL THEN 'no_end'
    END AS answers_reason,
    CASE
        WHEN end_type = 'SESSION_SUBMITTED' THEN 'submitted'
        WHEN end_type = 'SESSION_EXPIRED' THEN 'expired'
        WHEN lost + dead_letters + dropped + unnumbered > 0 THEN 'unknown'
        ELSE 'open'
    END AS completion
FROM (
    SELECT
        session_id,
        count(*) AS events,
        min(at) AS began_at,
        max(at) AS last_at,
        sum(lost_before) AS lost,
        count(*) FILTER (WHERE origin = 'page' AND seq IS NULL) AS unnumbered,
        count(*) FILTER (WHERE event_type IN ('ANSWER_SELECTED', 'ANSWER_CHANGED')) AS answers,
        count(*) FILTER (WHERE event_type IN ('ANSWER_SELECTED', 'ANSWER_CHANGED') AND origin = 'page')
            AS answers_of_pages,
        min(at) FILTER (WHERE event_type IN ('SESSION_SUBMITTED', 'SESSION_EXPIRED')) AS ended_at,
        (array_agg(event_type ORDER BY at, id) FILTER (WHERE event_type IN ('SESSION_SUBMITTED', 'SESSION_EXPIRED')))[1]
            AS end_type,
        (
            SELECT coalesce(sum(told.most), 0)
            FROM (
                SELECT max(each.events::bigint) AS most
                FROM attempt_events AS e, jsonb_each_text(e.dropped) AS each (reason, events)
                WHERE e.session_id = session_timeline.session_id
                GROUP BY e.stream_id, each.reason
            ) AS told
        ) AS dropped,
        -- Of two events with one number, the first is stored.
        (
            SELECT count(*)
            FROM dead_letters AS d
            WHERE d.session_id = session_timeline.session_id
                AND coalesce(d.replay_outcome, d.reason) NOT IN ('inserted', 'duplicate', 'seq_conflict')
        ) AS dead_letters,
        min(at) FILTER (WHERE event_type = 'QUESTION_VIEWED') AS first_view_at,
        min(lost_so_far) FILTER (WHERE event_type = 'QUESTION_VIEWED') AS lost_by_first_view,
        min(at) FILTER (WHERE is_action) AS first_action_at,
        min(lost_so_far) FILTER (WHERE is_action) AS lost_by_first_action,
        count(*) FILTER (WHERE is_action) AS actions
    FROM (
        SELECT
            *,
            event_type LIKE 'NAVIGATE%' OR event_type LIKE 'ANSWER%' OR event_type = 'MARK_FOR_REVIEW_TOGGLED'
                AS is_action,
            sum(lost_before) OVER (PARTITION BY session_id ORDER BY at, stream_id, seq, id) AS lost_so_far
        FROM session_timeline
    ) AS session_timeline
    GROUP BY session_id
) AS log;

-- A visit begins with a view, and ends with a move, the overview or the end of the session. The same question viewed
-- again without a move, as after a reload, is the same visit, of several looks.
CREATE VIEW session_visits AS
WITH line AS (
    SELECT
        *,
        sum(lost_before) OVER (PARTITION BY session_id ORDER BY at, stream_id, seq, id) AS lost
    FROM session_timeline
),
looks AS (
    SELECT
        *,
        count(*) FILTER (WHERE event_type LIKE 'NAVIGATE%') OVER along AS moves,
        lead(event_type) OVER along AS next_type,
        lead(question_id) OVER along AS next_question,
        jsonb_path_query_first(lead(payload_json) OVER along, '$.dwell_ms ? (@ >= 0)')::numeric AS next_dwell_ms,
        lead(at) OVER along AS next_at,
        lead(lost) OVER along > lost AS has_gap,
        lead(run) OVER along IS DISTINCT FROM run AND lead(stream_id) OVER along IS NOT DISTINCT FROM stream_id
            AND lead(origin) OVER along = 'page' AS has_step
    FROM line
    WHERE event_type IN (
        'QUESTION_VIEWED', 'NAVIGATE_NEXT', 'NAVIGATE_PREV', 'NAVIGATE_JUMP', 'REVIEW_OPENED', 'SESSION_SUBMITTED',
        'SESSION_EXPIRED'
    )
    WINDOW along AS (PARTITION BY session_id ORDER BY at, stream_id, seq, id)
),
measured AS (
    SELECT
        *,
        CASE
            WHEN next_at IS NULL THEN 'no_end'
            WHEN has_gap THEN 'gap'
            WHEN next_type LIKE 'NAVIGATE%' AND next_question = question_id AND next_dwell_ms IS NOT NULL THEN NULL
            WHEN has_step THEN 'clock_set'
        END AS reason,
        CASE
            WHEN next_type LIKE 'NAVIGATE%' AND next_question = question_id AND next_dwell_ms IS NOT NULL
                THEN next_dwell_ms
            ELSE round(extract(epoch FROM next_at - at) * 1000, 3)
        END AS dwell_ms
    FROM looks
    WHERE event_type = 'QUESTION_VIEWED'
)
SELECT
    session_id,
    question_id,
    row_number() OVER (PARTITION BY session_id ORDER BY min(at), moves) AS visit,
    min(at) AS since,
    count(*) AS looks,
    CASE WHEN count(reason) = 0 THEN sum(dwell_ms) END AS dwell_ms,
    min(reason) AS reason
FROM measured
GROUP BY session_id, question_id, moves;

-- From a page's loss of the candidate to their return. What is reported twice (the window, and the page in it) is one
-- absence, whose length is the longest that is told. A return without a loss in its own load of the page ends one that
-- began before a reload.
CREATE VIEW session_absences AS
WITH pages AS (
    SELECT
        *,
        sum(lost_before) OVER (PARTITION BY session_id, stream_id ORDER BY at, seq) AS lost,
        sum(lost_before) OVER (PARTITION BY session_id, stream_id) AS lost_at_all,
        row_number() OVER (PARTITION BY session_id ORDER BY at, stream_id, seq)
            - row_number() OVER (PARTITION BY session_id, stream_id ORDER BY at, seq) AS elsewhere,
        count(*) OVER (PARTITION BY session_id) - count(*) OVER (PARTITION BY session_id, stream_id)
            AS elsewhere_at_all
    FROM session_timeline
    WHERE origin = 'page'
),
states AS (
    SELECT
        *,
        payload_json ->> 'state' = 'blur' AS is_loss,
        jsonb_path_query_first(payload_json, '$.away_ms ? (@ >= 0)')::numeric AS away_ms,
        lag(payload_json ->> 'state') OVER stream IS DISTINCT FROM 'blur' AS is_after_return
    FROM pages
    WHERE event_type = 'PAUSE_BLUR' AND payload_json ->> 'state' IN ('blur', 'focus')
    WINDOW stream AS (PARTITION BY session_id, stream_id ORDER BY at, seq)
),
pairs AS (
    SELECT
        *,
        count(*) FILTER (WHERE is_loss AND is_after_return) OVER (PARTITION BY session_id, stream_id ORDER BY at, seq)
            AS pair
    FROM states
),
linked AS (
    SELECT *, bool_or(pair = 0 AND NOT is_loss) OVER (PARTITION BY session_id) AS has_return_elsewhere
    FROM pairs
)
SELECT
    session_id,
    stream_id,
    min(at) FILTER (WHERE is_loss) AS left_at,
    max(at) FILTER (WHERE NOT is_loss) AS back_at,
    CASE
        WHEN NOT bool_or(is_loss) THEN 'begun_elsewhere'
        WHEN NOT bool_or(NOT is_loss) THEN 'open'
        ELSE 'over'
    END AS state,
    CASE
        WHEN NOT bool_or(is_loss) THEN false
        WHEN NOT bool_or(NOT is_loss) THEN max(elsewhere_at_all) > min(elsewhere) AND NOT bool_or(has_return_elsewhere)
        ELSE max(elsewhere) > min(elsewhere)
    END AS in_another_tab,
    CASE WHEN max(lost) = min(lost) AND bool_or(is_loss)
        THEN max(away_ms) FILTER (WHERE NOT is_loss)
    END AS away_ms,
    CASE
        WHEN max(lost) > min(lost) THEN 'gap'
        WHEN NOT bool_or(NOT is_loss) AND max(lost_at_all) > max(lost) THEN 'gap'
        WHEN NOT bool_or(NOT is_loss) THEN 'not_back'
        WHEN NOT bool_or(is_loss) OR count(away_ms) FILTER (WHERE NOT is_loss) = 0 THEN 'not_measured'
    END AS reason
FROM linked
GROUP BY session_id, stream_id, pair;

-- Each answer says which one it replaces: a chain that does not hold lacks one.
CREATE VIEW session_answers AS
SELECT
    session_id,
    question_id,
    min(at) AS first_at,
    (array_agg(choice ORDER BY place))[1] AS first_choice,
    (array_agg(choice ORDER BY place DESC))[1] AS last_choice,
    count(*) - 1 AS changes,
    bool_and(said_before IS NOT DISTINCT FROM choice_before AND choice IS NOT NULL) AS is_whole,
    (array_agg(lost ORDER BY place))[1] AS lost_before_first
FROM (
    SELECT
        *,
        lag(choice) OVER (PARTITION BY session_id, question_id ORDER BY place) AS choice_before
    FROM (
        SELECT
            session_id, question_id, at, event_type,
            jsonb_path_query_first(payload_json, '$.choice ? (@ >= 0)')::numeric AS choice,
            jsonb_path_query_first(payload_json, '$.prev_choice ? (@ >= 0)')::numeric AS said_before,
            row_number() OVER line AS place,
            sum(lost_before) OVER line AS lost
        FROM session_timeline
        WINDOW line AS (PARTITION BY session_id ORDER BY at, stream_id, seq, id)
    ) AS placed
    WHERE event_type IN ('ANSWER_SELECTED', 'ANSWER_CHANGED') AND question_id IS NOT NULL
) AS chained
GROUP BY session_id, question_id;

-- One row per session and question that was viewed or answered. Columns of a second SELECT have names, too, or the
-- view would look otherwise once it is dumped and restored.
CREATE VIEW session_questions AS
WITH line AS (
    SELECT session_id, question_id, since, dwell_ms, reason AS dwell_reason, NULL::numeric AS away_ms,
        NULL::text AS away_reason
    FROM session_visits
    UNION ALL
    SELECT
        session_id, NULL::uuid AS question_id, left_at AS since, NULL::numeric AS dwell_ms, NULL::text AS dwell_reason,
        away_ms, reason AS away_reason
    FROM session_absences
    WHERE left_at IS NOT NULL AND NOT in_another_tab
),
-- An absence is of the visit in which it began.
counted AS (
    SELECT *, count(question_id) OVER (PARTITION BY session_id ORDER BY since, question_id IS NULL) AS visit
    FROM line
),
visited AS (
    SELECT
        session_id, (array_agg(question_id) FILTER (WHERE question_id IS NOT NULL))[1] AS question_id,
        min(since) AS since, min(dwell_ms) AS dwell_ms, min(dwell_reason) AS dwell_reason,
        sum(away_ms) AS away_ms, min(away_reason) AS away_reason
    FROM counted
    WHERE visit > 0
    GROUP BY session_id, visit
),
found AS (
    SELECT
        session_id, question_id, count(*) AS visits, min(since) AS since,
        sum(dwell_ms) AS dwell_ms, min(dwell_reason) AS dwell_reason,
        sum(away_ms) AS away_ms, min(away_reason) AS away_reason,
        NULL::timestamptz AS first_at, NULL::numeric AS first_choice, NULL::numeric AS last_choice,
        NULL::bigint AS changes, NULL::boolean AS is_whole, NULL::numeric AS lost_before_first
    FROM visited
    GROUP BY session_id, question_id
    UNION ALL
    SELECT
        session_id, question_id, 0 AS visits, NULL::timestamptz AS since, NULL::numeric AS dwell_ms,
        NULL::text AS dwell_reason, NULL::numeric AS away_ms, NULL::text AS away_reason,
        first_at, first_choice, last_choice, changes, is_whole, lost_before_first
    FROM session_answers
),
joined AS (
    SELECT
        session_id, question_id, sum(visits) AS visits, min(since) AS since,
        min(dwell_ms) AS dwell_ms, min(dwell_reason) AS dwell_reason,
        min(away_ms) AS away_ms, min(away_reason) AS away_reason,
        min(first_at) AS first_at, min(first_choice) AS first_choice, min(last_choice) AS last_choice,
        coalesce(min(changes), 0) AS changes, bool_and(is_whole) AS is_whole,
        min(lost_before_first) AS lost_before_first
    FROM found
    GROUP BY session_id, question_id
),
reasoned AS (
    SELECT
        j.*, s.exam_id, k.choice AS key,
        l.reason AS visits_reason,
        coalesce(l.reason, j.dwell_reason) AS time_reason,
        coalesce(l.reason, j.dwell_reason, j.away_reason) AS present_reason,
        CASE
            WHEN l.reason IN ('dead_letter', 'dropped', 'unnumbered') THEN l.reason
            WHEN j.since IS NULL THEN CASE WHEN l.lost > 0 THEN 'gap' ELSE 'not_viewed' END
            WHEN j.first_at IS NULL THEN coalesce(l.answers_reason, 'not_answered')
            WHEN j.lost_before_first > 0 THEN 'gap'
            WHEN NOT j.is_whole THEN 'chain'
            WHEN j.first_at < j.since THEN 'order_unknown'
        END AS first_answer_reason,
        coalesce(l.answers_reason, CASE WHEN NOT j.is_whole THEN 'chain' END) AS answers_reason
    FROM joined AS j
    JOIN session_logs AS l ON l.session_id = j.session_id
    LEFT JOIN test_sessions AS s ON s.id = j.session_id
    LEFT JOIN answer_keys AS k ON k.exam_id = s.exam_id AND k.question_id = j.question_id
)
SELECT
    session_id,
    exam_id,
    question_id,
    CASE WHEN visits_reason IS NULL THEN visits END AS visits,
    CASE WHEN visits_reason IS NULL THEN greatest(visits - 1, 0) END AS revisits,
    visits_reason,
    CASE WHEN time_reason IS NULL THEN coalesce(dwell_ms, 0) END AS dwell_ms,
    time_reason AS dwell_reason,
    CASE WHEN present_reason IS NULL THEN coalesce(dwell_ms, 0) - coalesce(away_ms, 0) END AS present_ms,
    present_reason,
    CASE WHEN first_answer_reason IS NULL THEN round(extract(epoch FROM first_at - since) * 1000, 3) END
        AS first_answer_ms,
    first_answer_reason,
    CASE WHEN answers_reason IS NULL THEN first_choice END AS first_choice,
    CASE WHEN answers_reason IS NULL THEN last_choice END AS last_choice,
    CASE WHEN answers_reason IS NULL THEN changes END AS changes,
    answers_reason,
    CASE WHEN answers_reason IS NULL AND changes > 0 AND key IS NOT NULL
        THEN CASE WHEN first_choice = key THEN 'R' ELSE 'W' END || CASE WHEN last_choice = key THEN 'R' ELSE 'W' END
    END AS change_kind,
    CASE WHEN answers_reason IS NULL AND key IS NOT NULL THEN coalesce((last_choice = key)::integer, 0) END AS mark,
    coalesce(answers_reason, CASE WHEN key IS NULL THEN 'no_key' END) AS mark_reason
FROM reasoned;

-- One row per session that has events.
CREATE VIEW session_indicators AS
SELECT
    l.session_id,
    s.user_id,
    s.exam_id,
    l.completion,
    l.reason IS NULL AS is_complete,
    l.reason AS log_reason,
    l.events,
    l.lost,
    l.began_at,
    l.ended_at,
    CASE WHEN t.reason IS NULL THEN round(extract(epoch FROM l.ended_at - l.first_view_at) * 1000, 3) END AS time_ms,
    t.reason AS time_reason,
    CASE WHEN f.reason IS NULL THEN round(extract(epoch FROM l.first_action_at - l.first_view_at) * 1000, 3) END
        AS first_action_ms,
    f.reason AS first_action_reason,
    CASE WHEN l.reason IS NULL THEN l.actions END AS actions,
    CASE WHEN l.reason IS NULL THEN q.viewed END AS questions_viewed,
    CASE WHEN l.reason IS NULL THEN q.visits END AS visits,
    CASE WHEN l.reason IS NULL THEN q.revisits END AS revisits,
    CASE WHEN l.reason IS NULL THEN a.absences END AS absences,
    CASE WHEN l.reason IS NULL THEN a.of_unknown_length END AS absences_of_unknown_length,
    CASE WHEN l.reason IS NULL THEN a.known_ms END AS absences_known_ms,
    CASE WHEN l.reason IS NULL THEN a.in_another_tab END AS absences_in_another_tab,
    l.reason AS counts_reason,
    CASE WHEN c.reason IS NULL THEN q.answered END AS answered,
    CASE WHEN c.reason IS NULL THEN q.changes END AS changes,
    c.reason AS answers_reason,
    CASE WHEN m.reason IS NULL THEN q.wrong_to_right END AS wrong_to_right,
    CASE WHEN m.reason IS NULL THEN q.right_to_wrong END AS right_to_wrong,
    CASE WHEN m.reason IS NULL THEN q.wrong_to_wrong END AS wrong_to_wrong,
    CASE WHEN m.reason IS NULL THEN q.right_to_right END AS right_to_right,
    CASE WHEN m.reason IS NULL THEN q.marks END AS marks,
    m.reason AS marks_reason
FROM session_logs AS l
LEFT JOIN test_sessions AS s ON s.id = l.session_id
CROSS JOIN LATERAL (
    SELECT
        count(*) FILTER (WHERE visits > 0) AS viewed, coalesce(sum(visits), 0) AS visits,
        coalesce(sum(revisits), 0) AS revisits,
        count(last_choice) AS answered, coalesce(sum(changes), 0) AS changes, bool_or(answers_reason = 'chain') AS is_torn,
        count(*) FILTER (WHERE change_kind = 'WR') AS wrong_to_right,
        count(*) FILTER (WHERE change_kind = 'RW') AS right_to_wrong,
        count(*) FILTER (WHERE change_kind = 'WW') AS wrong_to_wrong,
        count(*) FILTER (WHERE change_kind = 'RR') AS right_to_right,
        coalesce(sum(mark), 0) AS marks, bool_or(mark_reason = 'no_key') AS lacks_key
    FROM session_questions
    WHERE session_id = l.session_id
) AS q
CROSS JOIN LATERAL (
    SELECT
        coalesce(sum(begun), 0) + greatest(coalesce(sum(ended_only), 0) - coalesce(sum(left_open), 0), 0) AS absences,
        coalesce(sum(unmeasured), 0) + greatest(coalesce(sum(left_open), 0), coalesce(sum(ended_only), 0))
            AS of_unknown_length,
        coalesce(sum(away_ms), 0) AS known_ms,
        count(*) FILTER (WHERE in_another_tab) AS in_another_tab
    FROM (
        SELECT
            away_ms, in_another_tab,
            (state <> 'begun_elsewhere')::integer AS begun,
            (state = 'begun_elsewhere')::integer AS ended_only,
            (state = 'open')::integer AS left_open,
            (state = 'over' AND away_ms IS NULL)::integer AS unmeasured
        FROM session_absences
        WHERE session_id = l.session_id
    ) AS each
) AS a
CROSS JOIN LATERAL (
    SELECT CASE
        WHEN l.reason IN ('dead_letter', 'dropped', 'unnumbered') THEN l.reason
        WHEN l.first_view_at IS NULL THEN CASE WHEN l.lost > 0 THEN 'gap' ELSE 'not_viewed' END
        WHEN l.lost_by_first_view > 0 THEN 'gap'
        WHEN l.ended_at IS NULL THEN CASE WHEN l.lost > 0 THEN 'gap' ELSE 'no_end' END
        WHEN l.ended_at < l.first_view_at THEN 'order_unknown'
    END AS reason
) AS t
CROSS JOIN LATERAL (
    SELECT CASE
        WHEN l.reason IN ('dead_letter', 'dropped', 'unnumbered') THEN l.reason
        WHEN l.first_view_at IS NULL THEN CASE WHEN l.lost > 0 THEN 'gap' ELSE 'not_viewed' END
        WHEN l.first_action_at IS NULL THEN coalesce(l.reason, 'no_action')
        WHEN l.lost_by_first_action > 0 THEN 'gap'
        WHEN l.first_action_at < l.first_view_at THEN 'order_unknown'
    END AS reason
) AS f
CROSS JOIN LATERAL (SELECT coalesce(l.answers_reason, CASE WHEN q.is_torn THEN 'chain' END) AS reason) AS c
CROSS JOIN LATERAL (SELECT coalesce(c.reason, CASE WHEN q.lacks_key THEN 'no_key' END) AS reason) AS m;

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

REVOKE ALL ON
    session_logs, session_visits, session_absences, session_answers, session_questions, session_indicators
FROM PUBLIC;
REVOKE ALL ON FUNCTION
    exam_session_indicators(uuid), exam_question_indicators(uuid), exam_effort(uuid), exam_navigation(uuid)
FROM PUBLIC;
