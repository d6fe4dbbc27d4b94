"""The statements of the ledger: which log it is about, how far it is accounted for, and the next step."""

READ_LEDGER = """
SELECT partition, next_offset, log, mark_offset, mark_digest
FROM partition_ledger
WHERE topic = %(topic)s
"""

READ_LOG = """
SELECT log, topic_id, cluster_id
FROM topic_logs
WHERE topic = %(topic)s
ORDER BY log DESC
LIMIT 1
"""

ENTER_LOG = """
INSERT INTO topic_logs (topic, topic_id, cluster_id)
VALUES (%(topic)s, %(topic_id)s, %(cluster_id)s)
ON CONFLICT DO NOTHING
"""

# A record is accounted for when its event is stored, be it as the repeat of another, or when it is a dead letter.
IS_ACCOUNTED_FOR = """
SELECT
    EXISTS (
        SELECT
        FROM attempt_events
        WHERE id = %(id)s::uuid
            OR (
                session_id = %(session_id)s::uuid
                AND seq = %(seq)s::integer
                AND stream_id IS NOT DISTINCT FROM %(stream_id)s::uuid
            )
    )
    OR EXISTS (
        SELECT
        FROM dead_letters
        WHERE topic = %(topic)s
            AND log = %(log)s
            AND partition = %(partition)s
            AND kafka_offset = %(offset)s
            AND value IS NOT DISTINCT FROM %(value)s::bytea
    )
"""

LOCK_LEDGER = """
SELECT partition, next_offset, log, mark_offset, mark_digest
FROM partition_ledger
WHERE topic = %(topic)s AND partition = ANY(%(partitions)s)
ORDER BY partition
FOR UPDATE
"""

OPEN_LEDGER = """
INSERT INTO partition_ledger (topic, partition, next_offset, log)
SELECT %(topic)s, partition, 0, %(log)s
FROM unnest(%(partitions)s::integer[]) AS partition
WHERE coalesce((SELECT max(log) FROM topic_logs WHERE topic = %(topic)s), %(log)s) = %(log)s
ORDER BY partition
ON CONFLICT DO NOTHING
"""

ADVANCE_LEDGER = """
UPDATE partition_ledger
SET
    next_offset = %(next_offset)s,
    records = records + %(inserted)s + %(duplicates)s + %(dead_lettered)s + %(suppressed)s,
    inserted = inserted + %(inserted)s,
    duplicates = duplicates + %(duplicates)s,
    dead_lettered = dead_lettered + %(dead_lettered)s,
    suppressed = suppressed + %(suppressed)s,
    mark_offset = coalesce(%(mark_offset)s, mark_offset),
    mark_digest = coalesce(%(mark_digest)s, mark_digest),
    updated_at = now()
WHERE topic = %(topic)s AND partition = %(partition)s
"""

# What a consumer from before the marks has stored, unless it has stored more since.
MARK_LEDGER = """
UPDATE partition_ledger
SET mark_offset = %(offset)s, mark_digest = %(digest)s
WHERE topic = %(topic)s
    AND partition = %(partition)s
    AND next_offset = %(offset)s + 1
    AND mark_offset IS NULL
"""
