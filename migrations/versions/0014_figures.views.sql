-- The views of 0013, from one look at the timeline of a session instead of one for each of them, of which there were up
-- to eleven. What is said of a session is worked out from its line alone, by functions that read no table, so that
-- whoever may read a view needs nothing else. They go into the query that calls them.
CREATE VIEW session_lines AS
SELECT
    session_id,
    array_agg(session_timeline) AS timeline,
    (
        SELECT coalesce(sum(told.most), 0)
        FROM (
            SELECT max(each.events::bigint) AS most
            FROM attempt_events AS e, jsonb_each_text(e.dropped) AS each (reason, events)
            WHERE e.session_id = session_timeline.session_id
            GROUP BY e.stream_id, each.reason
        ) AS told
    ) AS told_dropped,
    -- Of two events with one number, the first is stored.
    (
        SELECT count(*)
        FROM dead_letters AS d
        WHERE d.session_id = session_timeline.session_id
            AND coalesce(d.replay_outcome, d.reason) NOT IN ('inserted', 'duplicate', 'seq_conflict')
    ) AS open_letters
FROM session_timeline
GROUP BY session_id;

-- How whole the log of a session is. `reason` is the first of what keeps counts over all of it from being known.
CREATE FUNCTION line_log(timeline session_timeline[], told_dropped numeric, open_letters bigint) RETURNS TABLE (
    session_id uuid, events bigint, began_at timestamptz, last_at timestamptz, lost bigint, unnumbered bigint,
    answers bigint, answers_of_pages bigint, ended_at timestamptz, end_type text, dropped numeric, dead_letters bigint,
    first_view_at timestamptz, lost_by_first_view bigint, first_action_at timestamptz, lost_by_first_action bigint,
    actions bigint, reason text, answers_reason text, completion text
)
LANGUAGE sql
STABLE
BEGIN ATOMIC
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
            (
                array_agg(event_type ORDER BY at, id)
                    FILTER (WHERE event_type IN ('SESSION_SUBMITTED', 'SESSION_EXPIRED'))
            )[1]
                AS end_type,
            told_dropped AS dropped,
            open_letters AS dead_letters,
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
            FROM unnest(timeline) AS session_timeline
        ) AS session_timeline
        GROUP BY session_id
    ) AS log;
END;

-- A visit begins with a view, and ends with a move, the overview or the end of the session. The same question viewed
-- again without a move, as after a reload, is the same visit, of several looks.
CREATE FUNCTION line_visits(timeline session_timeline[]) RETURNS TABLE (
    session_id uuid, question_id uuid, visit bigint, since timestamptz, looks bigint, dwell_ms numeric, reason text
)
LANGUAGE sql
STABLE
BEGIN ATOMIC
    WITH line AS (
        SELECT
            *,
            sum(lost_before) OVER (PARTITION BY session_id ORDER BY at, stream_id, seq, id) AS lost
        FROM unnest(timeline) AS session_timeline
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
END;

-- From a page's loss of the candidate to their return. What is reported twice (the window, and the page in it) is one
-- absence, whose length is the longest that is told. A return without a loss in its own load of the page ends one that
-- began before a reload.
CREATE FUNCTION line_absences(timeline session_timeline[]) RETURNS TABLE (
    session_id uuid, stream_id uuid, left_at timestamptz, back_at timestamptz, state text, in_another_tab boolean,
    away_ms numeric, reason text
)
LANGUAGE sql
STABLE
BEGIN ATOMIC
    WITH pages AS (
        SELECT
            *,
            sum(lost_before) OVER (PARTITION BY session_id, stream_id ORDER BY at, seq) AS lost,
            sum(lost_before) OVER (PARTITION BY session_id, stream_id) AS lost_at_all,
            row_number() OVER (PARTITION BY session_id ORDER BY at, stream_id, seq)
                - row_number() OVER (PARTITION BY session_id, stream_id ORDER BY at, seq) AS elsewhere,
            count(*) OVER (PARTITION BY session_id) - count(*) OVER (PARTITION BY session_id, stream_id)
                AS elsewhere_at_all
        FROM unnest(timeline) AS session_timeline
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
            count(*) FILTER (WHERE is_loss AND is_after_return)
                OVER (PARTITION BY session_id, stream_id ORDER BY at, seq) AS pair
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
            WHEN NOT bool_or(NOT is_loss)
                THEN max(elsewhere_at_all) > min(elsewhere) AND NOT bool_or(has_return_elsewhere)
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
END;

-- Each answer says which one it replaces: a chain that does not hold lacks one.
CREATE FUNCTION line_answers(timeline session_timeline[]) RETURNS TABLE (
    session_id uuid, question_id uuid, first_at timestamptz, first_choice numeric, last_choice numeric, changes bigint,
    is_whole boolean, lost_before_first bigint
)
LANGUAGE sql
STABLE
BEGIN ATOMIC
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
            FROM unnest(timeline) AS session_timeline
            WINDOW line AS (PARTITION BY session_id ORDER BY at, stream_id, seq, id)
        ) AS placed
        WHERE event_type IN ('ANSWER_SELECTED', 'ANSWER_CHANGED') AND question_id IS NOT NULL
    ) AS chained
    GROUP BY session_id, question_id;
END;

-- One row per question that was viewed or answered, without what depends on the key.
CREATE FUNCTION line_questions(timeline session_timeline[], told_dropped numeric, open_letters bigint) RETURNS TABLE (
    session_id uuid, question_id uuid, visits numeric, revisits numeric, visits_reason text, dwell_ms numeric,
    dwell_reason text, present_ms numeric, present_reason text, first_answer_ms numeric, first_answer_reason text,
    first_choice numeric, last_choice numeric, changes bigint, answers_reason text
)
LANGUAGE sql
STABLE
BEGIN ATOMIC
    WITH line AS (
        SELECT session_id, question_id, since, dwell_ms, reason AS dwell_reason, NULL::numeric AS away_ms,
            NULL::text AS away_reason
        FROM line_visits(timeline)
        UNION ALL
        SELECT
            session_id, NULL::uuid AS question_id, left_at AS since, NULL::numeric AS dwell_ms,
            NULL::text AS dwell_reason, away_ms, reason AS away_reason
        FROM line_absences(timeline)
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
        FROM line_answers(timeline)
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
            j.*,
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
        CROSS JOIN line_log(timeline, told_dropped, open_letters) AS l
    )
    SELECT
        session_id,
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
        answers_reason
    FROM reasoned;
END;

-- All that is said of a session, without what depends on the key.
CREATE FUNCTION line_figures(timeline session_timeline[], told_dropped numeric, open_letters bigint) RETURNS TABLE (
    session_id uuid, completion text, log_reason text, events bigint, lost bigint, began_at timestamptz,
    ended_at timestamptz, time_ms numeric, time_reason text, first_action_ms numeric, first_action_reason text,
    actions bigint, questions_viewed bigint, visits numeric, revisits numeric, absences bigint,
    absences_of_unknown_length bigint, absences_known_ms numeric, absences_in_another_tab bigint, answered bigint,
    changes numeric, answers_reason text
)
LANGUAGE sql
STABLE
BEGIN ATOMIC
    SELECT
        l.session_id,
        l.completion,
        l.reason AS log_reason,
        l.events,
        l.lost,
        l.began_at,
        l.ended_at,
        CASE WHEN t.reason IS NULL THEN round(extract(epoch FROM l.ended_at - l.first_view_at) * 1000, 3) END
            AS time_ms,
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
        CASE WHEN c.reason IS NULL THEN q.answered END AS answered,
        CASE WHEN c.reason IS NULL THEN q.changes END AS changes,
        c.reason AS answers_reason
    FROM line_log(timeline, told_dropped, open_letters) AS l
    CROSS JOIN LATERAL (
        SELECT
            count(*) FILTER (WHERE visits > 0) AS viewed, coalesce(sum(visits), 0) AS visits,
            coalesce(sum(revisits), 0) AS revisits,
            count(last_choice) AS answered, coalesce(sum(changes), 0) AS changes,
            bool_or(answers_reason = 'chain') AS is_torn
        FROM line_questions(timeline, told_dropped, open_letters)
    ) AS q
    CROSS JOIN LATERAL (
        SELECT
            coalesce(sum(begun), 0) + greatest(coalesce(sum(ended_only), 0) - coalesce(sum(left_open), 0), 0)
                AS absences,
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
            FROM line_absences(timeline)
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
    CROSS JOIN LATERAL (SELECT coalesce(l.answers_reason, CASE WHEN q.is_torn THEN 'chain' END) AS reason) AS c;
END;

CREATE OR REPLACE VIEW session_logs AS
SELECT
    s.session_id, l.events, l.began_at, l.last_at, l.lost, l.unnumbered, l.answers, l.answers_of_pages, l.ended_at,
    l.end_type, l.dropped, l.dead_letters, l.first_view_at, l.lost_by_first_view, l.first_action_at,
    l.lost_by_first_action, l.actions, l.reason, l.answers_reason, l.completion
FROM session_lines AS s
CROSS JOIN LATERAL line_log(s.timeline, s.told_dropped, s.open_letters) AS l;

CREATE OR REPLACE VIEW session_visits AS
SELECT s.session_id, v.question_id, v.visit, v.since, v.looks, v.dwell_ms, v.reason
FROM session_lines AS s
CROSS JOIN LATERAL line_visits(s.timeline) AS v;

CREATE OR REPLACE VIEW session_absences AS
SELECT s.session_id, a.stream_id, a.left_at, a.back_at, a.state, a.in_another_tab, a.away_ms, a.reason
FROM session_lines AS s
CROSS JOIN LATERAL line_absences(s.timeline) AS a;

CREATE OR REPLACE VIEW session_answers AS
SELECT
    s.session_id, a.question_id, a.first_at, a.first_choice, a.last_choice, a.changes, a.is_whole, a.lost_before_first
FROM session_lines AS s
CROSS JOIN LATERAL line_answers(s.timeline) AS a;

-- What an answer is by the key: both null where that is not known.
CREATE FUNCTION change_by_key(first_choice numeric, last_choice numeric, changes bigint, key integer) RETURNS text
LANGUAGE sql
IMMUTABLE
RETURN CASE WHEN changes > 0 AND key IS NOT NULL
    THEN CASE WHEN first_choice = key THEN 'R' ELSE 'W' END || CASE WHEN last_choice = key THEN 'R' ELSE 'W' END
END;

CREATE FUNCTION mark_by_key(answers_reason text, last_choice numeric, key integer) RETURNS integer
LANGUAGE sql
IMMUTABLE
RETURN CASE WHEN answers_reason IS NULL AND key IS NOT NULL THEN coalesce((last_choice = key)::integer, 0) END;

CREATE OR REPLACE VIEW session_questions AS
SELECT
    s.session_id, t.exam_id, q.question_id, q.visits, q.revisits, q.visits_reason, q.dwell_ms, q.dwell_reason,
    q.present_ms, q.present_reason, q.first_answer_ms, q.first_answer_reason, q.first_choice, q.last_choice, q.changes,
    q.answers_reason,
    change_by_key(q.first_choice, q.last_choice, q.changes, k.choice) AS change_kind,
    mark_by_key(q.answers_reason, q.last_choice, k.choice) AS mark,
    coalesce(q.answers_reason, CASE WHEN k.choice IS NULL THEN 'no_key' END) AS mark_reason
FROM session_lines AS s
CROSS JOIN LATERAL line_questions(s.timeline, s.told_dropped, s.open_letters) AS q
LEFT JOIN test_sessions AS t ON t.id = s.session_id
LEFT JOIN answer_keys AS k ON k.exam_id = t.exam_id AND k.question_id = q.question_id;

CREATE OR REPLACE VIEW session_indicators AS
SELECT
    s.session_id, t.user_id, t.exam_id, f.completion, f.log_reason IS NULL AS is_complete, f.log_reason, f.events,
    f.lost, f.began_at, f.ended_at, f.time_ms, f.time_reason, f.first_action_ms, f.first_action_reason, f.actions,
    f.questions_viewed, f.visits, f.revisits, f.absences, f.absences_of_unknown_length, f.absences_known_ms,
    f.absences_in_another_tab, f.log_reason AS counts_reason, f.answered, f.changes, f.answers_reason,
    CASE WHEN m.reason IS NULL THEN m.wrong_to_right END AS wrong_to_right,
    CASE WHEN m.reason IS NULL THEN m.right_to_wrong END AS right_to_wrong,
    CASE WHEN m.reason IS NULL THEN m.wrong_to_wrong END AS wrong_to_wrong,
    CASE WHEN m.reason IS NULL THEN m.right_to_right END AS right_to_right,
    CASE WHEN m.reason IS NULL THEN m.marks END AS marks,
    m.reason AS marks_reason
FROM session_lines AS s
CROSS JOIN LATERAL line_figures(s.timeline, s.told_dropped, s.open_letters) AS f
LEFT JOIN test_sessions AS t ON t.id = s.session_id
CROSS JOIN LATERAL (
    SELECT
        count(*) FILTER (WHERE marked.change_kind = 'WR') AS wrong_to_right,
        count(*) FILTER (WHERE marked.change_kind = 'RW') AS right_to_wrong,
        count(*) FILTER (WHERE marked.change_kind = 'WW') AS wrong_to_wrong,
        count(*) FILTER (WHERE marked.change_kind = 'RR') AS right_to_right,
        coalesce(sum(marked.mark), 0) AS marks,
        coalesce(f.answers_reason, CASE WHEN bool_or(marked.choice IS NULL) THEN 'no_key' END) AS reason
    FROM (
        SELECT
            k.choice,
            change_by_key(q.first_choice, q.last_choice, q.changes, k.choice) AS change_kind,
            mark_by_key(q.answers_reason, q.last_choice, k.choice) AS mark
        FROM line_questions(s.timeline, s.told_dropped, s.open_letters) AS q
        LEFT JOIN answer_keys AS k ON k.exam_id = t.exam_id AND k.question_id = q.question_id
    ) AS marked
) AS m;

REVOKE ALL ON session_lines FROM PUBLIC;
