"""The statements by which a person, a session or an age is purged, in the order in which they run."""

# What the purger's role is granted, and needs.
GRANTS = {
    "attempt_events": "SELECT, DELETE",
    "dead_letters": "SELECT, DELETE",
    "dead_letter_replay_outcomes": "SELECT, DELETE",
    "event_sessions": "SELECT, DELETE",
    "dead_letter_replays": "SELECT, UPDATE",
    "data_accesses": "SELECT, UPDATE",
    "purges": "SELECT, INSERT, UPDATE",
    "purged_letters": "SELECT, INSERT, UPDATE",
    "suppressions": "SELECT, INSERT, DELETE",
    "suppression_key": "SELECT, INSERT",
    "purge_targets": "SELECT",
    "export_targets": "SELECT",
    "test_sessions": "SELECT",
}

# Rows are found by an index, whatever is known of the table: a batch that reads all of it would be none. Whoever waits
# for a lock has everybody wait who comes after, so the wait is short, and is begun again.
PREPARE = """
SELECT
    set_config('attemptlog.purge', 'on', true),
    set_config('enable_seqscan', 'off', true),
    set_config('lock_timeout', %(lock_timeout)s::text, true)
"""

# Before a lock for which whoever stores has to wait: of several purges, one at a time makes them.
TAKE_TURN = "SELECT pg_advisory_xact_lock(hashtextextended('attemptlog purges', 0))"

# Those that the platform says are somebody else's by now are left out.
FIND_SESSIONS = """
SELECT session_id
FROM (
    SELECT id AS session_id FROM test_sessions WHERE user_id = %(user)s
    UNION
    SELECT session_id FROM event_sessions WHERE user_id = %(user)s
    UNION
    SELECT session_id FROM attempt_events WHERE user_id = %(user)s
) AS found
WHERE NOT EXISTS (SELECT FROM test_sessions s WHERE s.id = found.session_id AND s.user_id <> %(user)s)
"""

FIND_UNFINISHED = """
SELECT id
FROM purges
WHERE kind = 'purge' AND subject = %(subject)s AND subject_kind = %(kind)s AND finished_at IS NULL
ORDER BY id
LIMIT 1
"""

BEGIN = """
INSERT INTO purges (kind, subject_kind, subject, requested_by, reason)
VALUES ('purge', %(kind)s, %(subject)s, %(by)s, %(reason)s)
RETURNING id
"""

# All but the person are sessions; a retention has no subject.
SUPPRESS = """
WITH entered AS (
    INSERT INTO suppressions (pseudonym, purge_id)
    SELECT pseudonym, %(purge)s
    FROM unnest(%(pseudonyms)s::uuid[]) AS pseudonym
    ON CONFLICT DO NOTHING
    RETURNING pseudonym
)
UPDATE purges
SET sessions = sessions + (
    SELECT count(*)
    FROM entered
    WHERE subject_kind = 'session' OR pseudonym IS DISTINCT FROM subject
)
WHERE id = %(purge)s
"""

# By what was read of them, or by what stands in them, however it is written: with hyphens or without, in either case.
NAMED = """(
    user_id = ANY(%(users)s)
    OR session_id = ANY(%(sessions)s)
    OR replace(
        lower(concat_ws(' ', encode(key, 'escape'), encode(value, 'escape'), detail) COLLATE "C"), '-', ''
    ) LIKE ANY(%(patterns)s)
)"""

LAST_LETTER = "SELECT max(id) FROM dead_letters"

NEXT_LETTERS = """
SELECT max(id), count(*)
FROM (
    SELECT id
    FROM dead_letters
    WHERE id > %(after)s AND id <= %(last)s
    ORDER BY id
    LIMIT %(limit)s
) AS next
"""

IN_WINDOW = "id > %(after)s AND id <= %(until)s AND " + NAMED

COUNT_LETTERS_WHERE = """
SELECT count(*)
FROM dead_letters
WHERE {which}
"""

COUNT_LETTERS = COUNT_LETTERS_WHERE.format(which=IN_WINDOW)

# The accounts keep what the ledger counted, in the transaction in which it goes.
ERASE_LETTERS_WHERE = """
WITH gone AS (
    DELETE FROM dead_letters
    WHERE {which}
    RETURNING id, topic, log, partition, replay_outcome
),
outcomes AS (
    DELETE FROM dead_letter_replay_outcomes
    USING gone
    WHERE dead_letter_id = gone.id
),
kept AS (
    INSERT INTO purged_letters (purge_id, topic, log, partition, letters, replayed)
    SELECT %(purge)s, topic, log, partition, count(*), count(*) FILTER (WHERE replay_outcome = 'inserted')
    FROM gone
    GROUP BY topic, log, partition
    ON CONFLICT (topic, log, partition, purge_id) DO UPDATE
    SET letters = purged_letters.letters + excluded.letters, replayed = purged_letters.replayed + excluded.replayed
)
UPDATE purges
SET dead_letters = dead_letters + (SELECT count(*) FROM gone)
WHERE id = %(purge)s
"""

ERASE_NAMED_LETTERS = ERASE_LETTERS_WHERE.format(which=IN_WINDOW)

REDACT_REPLAYS = """
UPDATE dead_letter_replays
SET filter = filter || jsonb_strip_nulls(jsonb_build_object(
    'user', CASE WHEN filter ->> 'user' = ANY(%(users)s::text[]) THEN 'purge ' || %(purge)s END,
    'session', CASE WHEN filter ->> 'session' = ANY(%(sessions)s::text[]) THEN 'purge ' || %(purge)s END
))
WHERE filter ->> 'user' = ANY(%(users)s::text[]) OR filter ->> 'session' = ANY(%(sessions)s::text[])
"""

REDACT_ACCESSES = """
UPDATE data_accesses
SET subject = named.pseudonym, is_pseudonym = true
FROM unnest(%(kinds)s::text[], %(ids)s::uuid[], %(pseudonyms)s::uuid[]) AS named (kind, id, pseudonym)
WHERE subject = named.id AND subject_kind = named.kind AND NOT is_pseudonym
"""

COUNT_EVENTS = """
SELECT count(*) FILTER (WHERE event_version >= 1), count(*) FILTER (WHERE event_version = 0)
FROM attempt_events
WHERE user_id = ANY(%(users)s) OR session_id = ANY(%(sessions)s)
"""

# Returns how many were found: another purge may have been there first.
ERASE_EVENTS = """
WITH found AS (
    SELECT id
    FROM attempt_events
    WHERE user_id = ANY(%(users)s) OR session_id = ANY(%(sessions)s)
    LIMIT %(limit)s
),
gone AS (
    DELETE FROM attempt_events
    USING found
    WHERE attempt_events.id = found.id
    RETURNING event_version
),
counted AS (
    UPDATE purges
    SET
        events = events + (SELECT count(*) FROM gone WHERE event_version >= 1),
        older_events = older_events + (SELECT count(*) FROM gone WHERE event_version = 0)
    WHERE id = %(purge)s
)
SELECT count(*)
FROM found
"""

# Before the statement that reads, so that it reads what whoever had the lock has committed. In the order in which
# whoever stores takes them.
LOCK_ENTRIES = "LOCK TABLE event_sessions IN SHARE ROW EXCLUSIVE MODE"

ERASE_ENTRIES = """
DELETE FROM event_sessions
WHERE (user_id = ANY(%(users)s) OR session_id = ANY(%(sessions)s))
    AND NOT EXISTS (
        SELECT
        FROM attempt_events
        WHERE attempt_events.session_id = event_sessions.session_id AND attempt_events.user_id = event_sessions.user_id
    )
"""

FINISH = """
UPDATE purges
SET finished_at = coalesce(finished_at, clock_timestamp())
WHERE id = %(purge)s
"""

READ_COUNTS = """
SELECT sessions, events, older_events, dead_letters
FROM purges
WHERE id = %(purge)s
"""

SELECT_TO_LIFT = """
SELECT id, finished_at IS NOT NULL, (SELECT count(*) FROM suppressions WHERE purge_id = purges.id)
FROM purges
WHERE kind = 'purge'
    AND subject = %(subject)s
    AND subject_kind = %(kind)s
    AND EXISTS (SELECT FROM suppressions WHERE purge_id = purges.id)
ORDER BY id
"""

LIFT = "DELETE FROM suppressions WHERE purge_id = ANY(%(purges)s)"

# A session that was entered by itself, and one that was entered with its person, are two entries.
SELECT_SUPPRESSING = """
SELECT purge_id, kind
FROM suppressions
JOIN purges ON purges.id = purge_id
WHERE pseudonym = %(subject)s
ORDER BY purge_id
"""

ENTER_LIFT = """
INSERT INTO purges (kind, subject_kind, subject, requested_by, reason, sessions, finished_at)
SELECT
    'lift', %(kind)s, %(subject)s, %(by)s, %(reason)s,
    %(entries)s - CASE %(kind)s WHEN 'user' THEN cardinality(%(purges)s::bigint[]) ELSE 0 END, clock_timestamp()
RETURNING id
"""
