"""The statements that find what is held about a person. Rows are read as JSON text, as exact as PostgreSQL has them."""

# A session that the platform has given to somebody else by now is that person's, what was stored of this one is not.
SELECT_SESSIONS = """
SELECT
    found.session_id::text,
    exam_id::text,
    coalesce(user_id <> %(user)s, false) AS is_of_another,
    events.stored AS events_stored,
    events.first_event_ts,
    events.last_event_ts
FROM (
    SELECT id AS session_id FROM test_sessions WHERE user_id = %(user)s
    UNION
    SELECT session_id FROM event_sessions WHERE user_id = %(user)s
    UNION
    SELECT session_id FROM attempt_events WHERE user_id = %(user)s
) AS found
LEFT JOIN test_sessions ON test_sessions.id = found.session_id
CROSS JOIN LATERAL (
    SELECT count(*) AS stored, min(event_ts) AS first_event_ts, max(event_ts) AS last_event_ts
    FROM attempt_events
    WHERE attempt_events.session_id = found.session_id AND attempt_events.user_id = %(user)s
) AS events
ORDER BY events.first_event_ts, found.session_id
"""

# In the order in which `sessions show` has them: by one clock.
SELECT_EVENTS = """
SELECT to_json(event)::text AS event
FROM (
    SELECT session_timeline.at AS happened_at, session_timeline.late_by, attempt_events.*
    FROM session_timeline
    JOIN attempt_events ON attempt_events.id = session_timeline.id
    WHERE session_timeline.session_id = %(session)s AND attempt_events.user_id = %(user)s
) AS event
ORDER BY happened_at, stream_id, seq, id
"""

# By what was read of them, or by what stands in them, however it is written: with hyphens or without, in either case.
SELECT_LETTERS = """
SELECT
    id, reason, detail, first_seen_at, topic, log, partition, kafka_offset, session_id::text, user_id::text, key, value,
    replayed_at, replay_outcome
FROM dead_letters
WHERE user_id = %(user)s
    OR session_id = ANY(%(sessions)s)
    OR replace(
        lower(concat_ws(' ', encode(key, 'escape'), encode(value, 'escape'), detail) COLLATE "C"), '-', ''
    ) LIKE ANY(%(patterns)s)
ORDER BY id
"""

SELECT_REPLAYS = """
SELECT id, replayed_by, started_at, filter
FROM dead_letter_replays
WHERE (filter ->> 'user')::text = %(user)s::text OR filter ->> 'session' = ANY(%(sessions)s::text[])
ORDER BY id
"""

# A row is at a target where it is none of those that are pending (see export_status); the first batch that had one of
# them says since when. After a resync all are sent anew, while the target has kept what it had.
SELECT_EXPORTS = """
WITH held AS (
    SELECT id, export_xid FROM attempt_events WHERE user_id = %(user)s
),
first AS (
    SELECT min(export_xid::text::numeric) AS xid FROM held
)
SELECT
    name AS target,
    (
        SELECT count(*)
        FROM held
        WHERE (
            export_xid >= greatest(horizon, backfill_below)
            OR backfill_done_at IS NULL
                AND (export_xid IS NULL OR export_xid < backfill_below)
                AND (backfill_after IS NULL OR id > backfill_after)
            OR backfill_done_at IS NOT NULL AND export_xid >= horizon AND export_xid < backfill_below
        ) IS NOT TRUE
    ) AS rows,
    (
        SELECT min(committed_at)
        FROM export_batches
        CROSS JOIN first
        WHERE target = name
            AND state = 'committed'
            AND (
                kind = 'window' AND lower::text::numeric <= first.xid AND upper::text::numeric > first.xid
                OR kind = 'backfill' AND EXISTS (
                    SELECT
                    FROM held
                    WHERE (export_xid IS NULL OR export_xid < upper)
                        AND (after_id IS NULL OR id > after_id)
                        AND id <= last_id
                )
            )
    ) AS since,
    exported_until,
    began_after > 0 AS is_sent_anew
FROM export_targets
ORDER BY name
"""

# What a retention took is of many persons: its counts say nothing of one. A target of which nothing is written down has
# not done it yet, and one that has done it without a number of rows cannot: it holds what it has.
SELECT_PURGES = """
SELECT
    id,
    kind,
    subject_kind,
    reason,
    requested_by,
    started_at,
    finished_at,
    keeps_exports,
    ended_before,
    CASE WHEN kind <> 'retention' THEN sessions END AS sessions,
    CASE WHEN kind <> 'retention' THEN events + older_events END AS events,
    CASE WHEN kind <> 'retention' THEN dead_letters END AS dead_letters,
    coalesce(
        (
            SELECT jsonb_agg(
                jsonb_build_object(
                    'target', name,
                    'state', CASE WHEN done_at IS NULL THEN 'pending' WHEN rows IS NULL THEN 'unknown' ELSE 'done' END,
                    'done_at', CASE WHEN rows IS NOT NULL THEN done_at END
                )
                ORDER BY name
            )
            FROM export_targets
            LEFT JOIN purge_targets ON target = name AND purge_id = purges.id
            WHERE purges.kind <> 'lift' AND NOT purges.keeps_exports
        ),
        '[]'
    ) AS targets
FROM purges
WHERE subject = ANY(%(pseudonyms)s::uuid[])
    OR EXISTS (SELECT FROM suppressions WHERE purge_id = purges.id AND pseudonym = ANY(%(pseudonyms)s::uuid[]))
ORDER BY id
"""

IS_SUPPRESSED = "SELECT EXISTS (SELECT FROM suppressions WHERE pseudonym = %(pseudonym)s::uuid)"

# A purge has put the pseudonym in the place of whom it was about.
SELECT_ACCESSES = """
SELECT accessed_at, accessed_by, database_user, command, reason, subject_kind
FROM data_accesses
WHERE CASE WHEN is_pseudonym THEN subject = ANY(%(pseudonyms)s::uuid[]) ELSE subject = ANY(%(ids)s) END
ORDER BY id
"""

SELECT_ACCESSES_TO_ALL = """
SELECT
    command, accessed_by, database_user, reason,
    count(*) AS times, min(accessed_at) AS first_at, max(accessed_at) AS last_at
FROM data_accesses
WHERE subject_kind = 'everybody'
GROUP BY command, accessed_by, database_user, reason
ORDER BY last_at DESC, command
"""
