"""The statements that put dead letters through the checks once more."""

# The order is the one in which Kafka had them, for the first of a kind to win, and in which replays take turns.
LOCK_LETTERS = """
SELECT partition, kafka_offset, key, value, id
FROM dead_letters
WHERE topic = %(topic)s
    AND id = ANY(%(ids)s)
    AND coalesce(replay_outcome, reason) NOT IN ('inserted', 'duplicate')
ORDER BY partition, kafka_offset
FOR UPDATE
"""

# Each of them is tried once: then it is stored, or a dead letter for another reason. A value that is padded to more
# than any envelope needs is left to an operator, for the sake of this process's memory.
LOCK_LETTERS_OF_LATE_SESSIONS = """
SELECT partition, kafka_offset, key, value, id
FROM dead_letters
WHERE topic = %(topic)s
    AND reason = 'unknown_session'
    AND coalesce(replay_outcome, reason) = 'unknown_session'
    AND first_seen_at > now() - %(within)s
    AND octet_length(value) <= %(max_bytes)s
    AND EXISTS (SELECT FROM test_sessions s WHERE s.id = dead_letters.session_id)
ORDER BY partition, kafka_offset
LIMIT %(limit)s
FOR UPDATE OF dead_letters SKIP LOCKED
"""

BEGIN_REPLAY = """
INSERT INTO dead_letter_replays (replayed_by, filter)
VALUES (%(by)s, %(filter)s)
RETURNING id
"""

MARK_LETTERS = """
WITH outcomes AS (
    INSERT INTO dead_letter_replay_outcomes (replay_id, dead_letter_id, outcome, detail)
    SELECT %(replay)s, letter_id, outcome, detail
    FROM unnest(%(ids)s::bigint[], %(outcomes)s::text[], %(details)s::text[]) AS verdict (letter_id, outcome, detail)
    RETURNING dead_letter_id, outcome
)
UPDATE dead_letters
SET replayed_at = now(), replay_outcome = outcomes.outcome
FROM outcomes
WHERE dead_letters.id = outcomes.dead_letter_id
"""
