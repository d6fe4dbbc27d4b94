"""What is said to PostgreSQL about the export's books: its statements, and what the exporter's role needs for them.

A statement that writes names the fence, and does nothing for an exporter that was superseded.
"""

GRANTS = {
    "attempt_events": "SELECT",
    "export_targets": "SELECT, INSERT, UPDATE",
    "export_batches": "SELECT, INSERT, UPDATE",
    "purges": "SELECT",
    "purge_targets": "SELECT, INSERT",
    "suppressions": "SELECT",
    "suppression_key": "SELECT",
}

EXAM_GRANTS = {"test_sessions": "SELECT"}  # needed beside these where a target's rows are to have their exam
WITH_EXAMS = "SELECT EXISTS (SELECT FROM export_targets WHERE name = 'xapi')"

TRY_LOCK = "SELECT pg_try_advisory_lock(hashtextextended('attemptlog export ' || %(target)s, 0))"
UNLOCK = "SELECT pg_advisory_unlock(hashtextextended('attemptlog export ' || %(target)s, 0))"

ENTER_TARGET = """
INSERT INTO export_targets (name, system_identifier)
SELECT %(target)s, system_identifier
FROM pg_control_system()
ON CONFLICT DO NOTHING
"""

CLAIM = """
UPDATE export_targets
SET fence = fence + 1
WHERE name = %(target)s
RETURNING fence
"""

# The greatest id of a transaction that a row has is a look at one end of an index.
READ_POSITION = """
SELECT
    horizon::text::numeric,
    backfill_below::text::numeric,
    backfill_after,
    backfill_done_at IS NOT NULL,
    accepted_latest,
    system_identifier = (SELECT system_identifier FROM pg_control_system()),
    pg_snapshot_xmin(pg_current_snapshot())::text::numeric,
    pg_snapshot_xmax(pg_current_snapshot())::text::numeric,
    coalesce((SELECT max(export_xid) FROM attempt_events), '0')::text::numeric
FROM export_targets
WHERE name = %(target)s
"""

READ_OPEN = """
SELECT
    id, kind, lower::text::numeric, upper::text::numeric, after_id, last_id, since_ts, repeats, until_ts, planned_rows,
    rows, checksum, state, attempts
FROM export_batches
WHERE target = %(target)s AND state IN ('planned', 'sent')
"""

READ_LAST = """
SELECT id
FROM export_batches
WHERE target = %(target)s
    AND state = 'committed'
    AND number > (SELECT began_after FROM export_targets WHERE name = %(target)s)
ORDER BY number DESC
LIMIT 1
"""

IS_KNOWN = "SELECT EXISTS (SELECT FROM export_batches WHERE target = %(target)s AND id = %(id)s)"

PLAN = """
INSERT INTO export_batches (
    id, target, kind, lower, upper, after_id, last_id, since_ts, repeats, until_ts, planned_rows
)
SELECT
    %(id)s, name, %(kind)s, %(lower)s::text::xid8, %(upper)s::text::xid8, %(after)s, %(last)s, %(since)s, %(repeats)s,
    %(until)s, %(rows)s
FROM export_targets
WHERE name = %(target)s AND fence = %(fence)s
FOR UPDATE
"""

BEGIN_ATTEMPT = """
UPDATE export_batches
SET attempts = attempts + 1, planned_rows = %(rows)s, state = 'planned'
WHERE id = %(id)s AND EXISTS (SELECT FROM export_targets WHERE name = %(target)s AND fence = %(fence)s)
RETURNING attempts
"""

MARK_SENT = """
UPDATE export_batches
SET state = 'sent', rows = %(rows)s, checksum = %(checksum)s, sent_at = now()
WHERE id = %(id)s AND EXISTS (SELECT FROM export_targets WHERE name = %(target)s AND fence = %(fence)s)
"""

COMMIT_BATCH = """
UPDATE export_batches
SET
    state = 'committed',
    rows = %(rows)s,
    checksum = %(checksum)s,
    bytes = %(size)s,
    committed_at = now(),
    error_class = NULL,
    error = NULL
WHERE id = %(id)s
"""

# A batch that is sent again moves nothing.
ADVANCE = """
UPDATE export_targets
SET
    horizon = CASE %(kind)s WHEN 'window' THEN %(upper)s::text::xid8 ELSE horizon END,
    backfill_after = CASE %(kind)s WHEN 'backfill' THEN %(last)s::uuid ELSE backfill_after END,
    exported_until = CASE %(kind)s WHEN 'window' THEN %(until)s ELSE exported_until END,
    failures = 0,
    error_class = NULL,
    error = NULL,
    succeeded_at = now()
WHERE name = %(target)s AND fence = %(fence)s
"""

REST = """
UPDATE export_targets
SET
    exported_until = greatest(exported_until, %(until)s),
    failures = 0,
    error_class = NULL,
    error = NULL,
    succeeded_at = now()
WHERE name = %(target)s AND fence = %(fence)s
"""

FINISH_BACKFILL = """
UPDATE export_targets
SET backfill_done_at = now()
WHERE name = %(target)s AND fence = %(fence)s
"""

FAIL_TARGET = """
UPDATE export_targets
SET failures = failures + 1, error_class = %(kind)s, error = %(error)s, failed_at = now()
WHERE name = %(target)s
"""

FAIL_BATCH = """
UPDATE export_batches
SET error_class = %(kind)s, error = %(error)s, failed_at = now()
WHERE target = %(target)s AND state IN ('planned', 'sent')
"""

ABANDON = """
UPDATE export_batches
SET state = 'abandoned'
WHERE target = %(target)s AND state IN ('planned', 'sent')
"""

RESYNC = """
UPDATE export_targets
SET
    system_identifier = (SELECT system_identifier FROM pg_control_system()),
    horizon = %(horizon)s::text::xid8,
    backfill_below = %(below)s::text::xid8,
    backfill_after = NULL,
    backfill_done_at = NULL,
    accepted_latest = %(latest)s,
    began_after = coalesce((SELECT max(number) FROM export_batches WHERE target = %(target)s), 0),
    failures = 0,
    error_class = NULL,
    error = NULL
WHERE name = %(target)s AND fence = %(fence)s
"""
