"""The statements by which sessions go for their age; those of a purge do the rest."""

# One with an earlier end is part of this one, if it does the same. One with a later end may have been a mistake.
FIND_UNFINISHED = """
SELECT id
FROM purges
WHERE kind = 'retention'
    AND finished_at IS NULL
    AND ended_before <= %(before)s
    AND keeps_exports = %(keeps_exports)s
ORDER BY id
LIMIT 1
"""

BEGIN = """
INSERT INTO purges (kind, ended_before, keeps_exports, requested_by, reason)
VALUES ('retention', %(before)s, %(keeps_exports)s, %(by)s, %(reason)s)
RETURNING id
"""

GO_ON = """
UPDATE purges
SET ended_before = %(before)s
WHERE id = %(purge)s
"""

# One look at an index for each type that there is.
SELECT_TYPES = """
WITH RECURSIVE types (event_type) AS (
    SELECT min(event_type) FROM attempt_events
    UNION ALL
    SELECT (SELECT min(event_type) FROM attempt_events WHERE event_type > types.event_type)
    FROM types
    WHERE event_type IS NOT NULL
)
SELECT event_type
FROM types
WHERE event_type IS NOT NULL
"""

# By the index on (event_type, event_ts), which every set of indexes has, so that the work is that of what goes, not of
# what stays.
NEXT_EVENTS = """
SELECT session_id, event_ts, id
FROM attempt_events
WHERE event_type = %(event_type)s AND event_ts < %(before)s AND (event_ts, id) > (%(after_ts)s, %(after_id)s)
ORDER BY event_ts, id
LIMIT %(limit)s
"""

SELECT_ENDED = """
SELECT session_id
FROM unnest(%(sessions)s::uuid[]) AS named (session_id)
WHERE (SELECT max(event_ts) FROM attempt_events WHERE attempt_events.session_id = named.session_id) < %(before)s
"""

OF_SESSIONS = "session_id = ANY(%(sessions)s)"

# What belongs to no session that has events: by its own age.
IN_WINDOW = """
    id > %(after)s
    AND id <= %(until)s
    AND first_seen_at < %(before)s
    AND NOT EXISTS (SELECT FROM attempt_events WHERE attempt_events.session_id = dead_letters.session_id)
"""

COUNT_ENDED = """
SELECT count(*), coalesce(sum(events), 0)::bigint, coalesce(sum(older_events), 0)::bigint
FROM (
    SELECT
        count(*) FILTER (WHERE event_version >= 1) AS events,
        count(*) FILTER (WHERE event_version = 0) AS older_events
    FROM attempt_events
    WHERE session_id IN (SELECT session_id FROM attempt_events WHERE event_ts < %(before)s)
    GROUP BY session_id
    HAVING max(event_ts) < %(before)s
) AS ended
"""

COUNT_LETTERS = """
SELECT count(*)
FROM dead_letters
WHERE coalesce(
    (SELECT max(event_ts) FROM attempt_events WHERE attempt_events.session_id = dead_letters.session_id),
    first_seen_at
) < %(before)s
"""
