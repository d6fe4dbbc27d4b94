"""The statements of the store."""

ADD_USER = "INSERT INTO public.users (id) VALUES (%(user_id)s)"

ADD_CANDIDATE = "INSERT INTO exam_platform.candidates (user_id, name) VALUES (%(user_id)s, %(name)s)"

READ_NAME = "SELECT name FROM exam_platform.candidates WHERE user_id = %(user_id)s"

READ_EXAMS = """
SELECT e.exam_id AS id, e.title, count(*) AS items, e.seconds
FROM exam_platform.exams e
JOIN exam_platform.questions q USING (exam_id)
GROUP BY e.exam_id
ORDER BY e.title
"""

# Two requests of one candidate must not count the same sessions at the same time. Released at commit.
ONE_BEGINS_AT_A_TIME = "SELECT pg_advisory_xact_lock(hashtextextended(%(user_id)s::text, 0))"

COUNT_OPEN = """
SELECT count(*)
FROM exam_platform.attempts
WHERE user_id = %(user_id)s AND submitted_at IS NULL AND expired_at IS NULL AND expires_at > now()
"""

ADD_SESSION = """
INSERT INTO public.test_sessions (id, user_id, exam_id)
VALUES (%(session_id)s, %(user_id)s, %(exam_id)s)
"""

ADD_ATTEMPT = """
INSERT INTO exam_platform.attempts (session_id, user_id, exam_id, expires_at)
VALUES (%(session_id)s, %(user_id)s, %(exam_id)s, now() + make_interval(secs => %(seconds)s))
"""

# Whoever writes to a session holds its row, so answers, handing in and the end of time come one after the other.
LOCK = """
SELECT
FROM exam_platform.attempts
WHERE session_id = %(session_id)s AND user_id = %(user_id)s
FOR UPDATE
"""

# Of requests that race one finds the row so, and that one logs the event. Throughout a transaction now() is the time
# at which it began, so that a session is never both due here and open to what follows.
EXPIRE_IF_DUE = """
UPDATE exam_platform.attempts
SET expired_at = now()
WHERE session_id = %(session_id)s
    AND user_id = %(user_id)s
    AND submitted_at IS NULL
    AND expired_at IS NULL
    AND expires_at <= now()
RETURNING session_id
"""

READ_ATTEMPT = """
SELECT
    a.session_id AS id,
    a.exam_id,
    e.title,
    CASE
        WHEN a.submitted_at IS NOT NULL THEN 'submitted'
        WHEN a.expired_at IS NOT NULL THEN 'expired'
        ELSE 'open'
    END AS state,
    a.expires_at,
    now() AS server_now,
    given.answered,
    given.marked
FROM exam_platform.attempts a
JOIN exam_platform.exams e USING (exam_id)
CROSS JOIN LATERAL (
    SELECT count(choice) AS answered, count(*) FILTER (WHERE marked) AS marked
    FROM exam_platform.answers
    WHERE session_id = a.session_id
) given
WHERE a.session_id = %(session_id)s AND a.user_id = %(user_id)s
"""

READ_ITEMS = """
SELECT q.question_id AS id, q.pos, q.text, q.choices, q.correct, a.choice, coalesce(a.marked, false) AS marked
FROM exam_platform.questions q
LEFT JOIN exam_platform.answers a ON a.session_id = %(session_id)s AND a.question_id = q.question_id
WHERE q.exam_id = %(exam_id)s
ORDER BY q.pos
"""

SAVE_ANSWER = """
INSERT INTO exam_platform.answers (session_id, question_id, choice, marked)
VALUES (%(session_id)s, %(question_id)s, %(choice)s, %(marked)s)
ON CONFLICT (session_id, question_id) DO UPDATE SET choice = EXCLUDED.choice, marked = EXCLUDED.marked
"""

# Of requests that race one adds the row, and that one logs the event.
ADD_OPENING = """
INSERT INTO exam_platform.openings (session_id, opening)
SELECT %(session_id)s, %(opening)s
WHERE (SELECT count(*) FROM exam_platform.openings WHERE session_id = %(session_id)s) < %(limit)s
ON CONFLICT DO NOTHING
RETURNING opening
"""

SUBMIT = "UPDATE exam_platform.attempts SET submitted_at = now() WHERE session_id = %(session_id)s"

COUNT_EVENTS = "SELECT count(*) FROM public.attempt_events WHERE session_id = %(session_id)s"

READ_NEWEST_EVENTS = """
SELECT
    id, seq, event_type, question_id, event_ts, client_ts, source, payload_json AS payload,
    (extract(epoch FROM created_at - event_ts) * 1000)::bigint AS stored_after_ms
FROM public.attempt_events
WHERE session_id = %(session_id)s
ORDER BY created_at DESC, event_ts DESC, stream_id, seq DESC NULLS LAST, id DESC
LIMIT %(limit)s
"""
