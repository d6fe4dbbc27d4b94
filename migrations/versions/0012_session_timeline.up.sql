-- One line for all of a session; docs/session-timeline.md says why it holds, and where it does not. Every window is within
-- a session, so that a condition on session_id reaches the index. Times are in seconds.
--
-- `elapsed` is a page's clock since its first event, without the steps by which it was set. What has to be added to it
-- to be the server's time is never more than `came - wait - elapsed`, because nothing comes before it was sent; and as
-- a step takes time or none, it never falls from one run to the next.
CREATE VIEW session_timeline AS
WITH numbered AS (
    SELECT
        id, session_id, stream_id, seq, event_type, question_id, source, payload_json, event_ts, client_ts, sent_at,
        extract(epoch FROM event_ts) AS came,
        extract(epoch FROM lag(event_ts) OVER stream) AS came_before,
        extract(epoch FROM client_ts - lag(client_ts) OVER stream) AS step,
        coalesce(lead(client_ts) OVER stream < client_ts, false) AS is_before_set_back,
        CASE WHEN sent_at >= client_ts THEN extract(epoch FROM sent_at - client_ts) END AS wait,
        greatest(seq - coalesce(lag(seq) OVER stream, 0) - 1, 0) AS lost_before,
        lag(seq) OVER stream IS NULL AS is_first
    FROM attempt_events
    WHERE seq IS NOT NULL
    WINDOW stream AS (PARTITION BY session_id, stream_id ORDER BY seq)
),
-- The events of a request have come at the same time.
requested AS (
    SELECT
        *,
        coalesce(came <> came_before, true) AS begins_request,
        count(*) FILTER (WHERE came <> came_before) OVER stream AS request,
        count(*) FILTER (WHERE step < 0) OVER stream AS times_set_back,
        sum(greatest(coalesce(step, 0), 0)) OVER stream AS paced
    FROM numbered
    WINDOW stream AS (PARTITION BY session_id, stream_id ORDER BY seq)
),
compared AS (
    SELECT
        *,
        min(came - coalesce(wait, 0) - paced) OVER (
            PARTITION BY session_id, stream_id ORDER BY request GROUPS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS least_of_all,
        min(came - coalesce(wait, 0) - paced) OVER (
            PARTITION BY session_id, stream_id, times_set_back
            ORDER BY request
            GROUPS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS least_since_set_back,
        min(came - coalesce(wait, 0) - paced) OVER of_request AS least,
        min(wait) OVER of_request AS last_wait,
        max(times_set_back + is_before_set_back::integer) OVER (PARTITION BY session_id, stream_id, request)
            AS times_set_back_when_sent
    FROM requested
    WINDOW of_request AS (PARTITION BY session_id, stream_id, times_set_back, request)
),
-- Set ahead: less than ever before, by more than what was quickest until then may have taken, which is 3 s on its way,
-- and 12 s in the page where it does not say how long. It happened in a step of that size, or after the last event.
-- Set back, though not as far as the pause it happened in: more than ever before when the request before had come.
doubted AS (
    SELECT
        *,
        coalesce(fallen > CASE WHEN sent_at IS NULL THEN 15 ELSE 3 END, false) AS is_set_ahead,
        coalesce(step >= fallen - 3, false) AS is_wide,
        coalesce(last_wait >= fallen - 3, false) AS may_be_after,
        coalesce(came > came_before AND came_before - wait - paced > least_since_set_back, false) AS is_set_back
    FROM (SELECT *, coalesce(least_since_set_back, least_of_all) - least AS fallen FROM compared) AS c
),
weighed AS (
    SELECT
        *,
        min(seq) FILTER (WHERE is_set_ahead AND is_wide) OVER of_request AS first_wide,
        max(seq) FILTER (WHERE is_set_ahead AND is_wide) OVER of_request AS last_wide
    FROM doubted
    WINDOW of_request AS (PARTITION BY session_id, stream_id, times_set_back, request)
),
-- In the last place of those where it may have been; where there is none, before the request.
placed AS (
    SELECT
        *,
        CASE
            WHEN is_set_ahead AND NOT may_be_after THEN coalesce(seq = last_wide, begins_request)
            ELSE begins_request AND coalesce(lag(is_set_ahead AND may_be_after) OVER stream, false)
        END AS steps_ahead,
        is_set_ahead AND coalesce(seq >= first_wide, false) AND (may_be_after OR seq < last_wide) AS is_unsure
    FROM weighed
    WINDOW stream AS (PARTITION BY session_id, stream_id ORDER BY seq)
),
run_through AS (
    SELECT
        *,
        count(*) FILTER (WHERE step IS NULL OR step < 0 OR steps_ahead OR is_set_back) OVER stream AS run,
        count(*) FILTER (WHERE steps_ahead) OVER stream AS times_set_ahead,
        sum(CASE WHEN step > 0 AND NOT steps_ahead THEN step ELSE 0 END) OVER stream AS elapsed
    FROM placed
    WINDOW stream AS (PARTITION BY session_id, stream_id ORDER BY seq)
),
-- What was made before the clock was set has not waited as the request says. What has waited for long when the clock was
-- set ahead may have been made before or after that.
trusted AS (
    SELECT
        *,
        CASE WHEN NOT coalesce(is_set_ahead AND (may_be_after OR seq < last_wide), false) THEN wait END AS known_wait,
        is_unsure
            OR times_set_back < times_set_back_when_sent
            OR times_set_ahead > 0 AND coalesce(wait > 15, false) AS is_doubtful
    FROM run_through
),
bounded AS (
    SELECT
        *,
        least(
            came,
            elapsed + min(CASE WHEN NOT is_doubtful THEN came - coalesce(known_wait, 0) - elapsed END)
                OVER (PARTITION BY session_id, stream_id, times_set_ahead ORDER BY run DESC)
        ) AS latest,
        CASE WHEN client_ts IS NOT NULL AND NOT is_doubtful THEN
            elapsed + max(
                CASE
                    WHEN is_first THEN (
                        -- a condition on the type would have the sessions of everybody read
                        SELECT min(extract(epoch FROM created.event_ts))
                            FILTER (WHERE created.event_type = 'SESSION_CREATED' AND created.seq IS NULL)
                        FROM attempt_events AS created
                        WHERE created.session_id = trusted.session_id
                    )
                    WHEN came > came_before AND NOT is_set_ahead AND NOT is_doubtful
                        THEN came_before - known_wait - elapsed
                END
            ) OVER (PARTITION BY session_id, stream_id, times_set_ahead ORDER BY run)
        END AS earliest
    FROM trusted
),
ordered AS (
    SELECT
        *,
        max(latest_in_order) OVER (PARTITION BY session_id, stream_id ORDER BY seq) AS happened
    FROM (
        SELECT *, min(latest) OVER (PARTITION BY session_id, stream_id, times_set_ahead ORDER BY seq DESC)
            AS latest_in_order
        FROM bounded
    ) AS b
)
SELECT
    session_id,
    event_ts - make_interval(secs => (came - happened)::double precision) AS at,
    CASE WHEN happened >= earliest THEN make_interval(secs => (happened - earliest)::double precision) END AS late_by,
    'page' AS origin,
    run,
    lost_before,
    id, event_type, question_id, stream_id, seq, source, event_ts, client_ts, sent_at, payload_json
FROM ordered
UNION ALL
SELECT
    session_id,
    event_ts,
    CASE WHEN client_ts IS NULL AND stream_id IS NULL THEN interval '0' END,
    CASE WHEN client_ts IS NULL AND stream_id IS NULL THEN 'service' ELSE 'page' END,
    NULL,
    0,
    id, event_type, question_id, stream_id, seq, source, event_ts, client_ts, sent_at, payload_json
FROM attempt_events
WHERE seq IS NULL;

REVOKE ALL ON session_timeline FROM PUBLIC;
