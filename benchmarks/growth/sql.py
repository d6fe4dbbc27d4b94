"""What is asked of PostgreSQL about the table and about itself."""

from typing import Any, LiteralString

import psycopg

# A user's sessions are known to another table, so that the events are found without it.
NO_USER = "DROP INDEX attempt_events_user_id_event_ts_idx"

READ_SESSION = "SELECT * FROM attempt_events WHERE session_id = %(session)s ORDER BY event_ts"
SOME_SESSIONS = "SELECT session_id FROM event_sessions ORDER BY random() LIMIT %s"
EXPLAIN = "EXPLAIN (ANALYZE, BUFFERS, SERIALIZE, TIMING OFF, FORMAT JSON) "

COUNT = "SELECT count(*) FROM attempt_events"
SIZES = """
SELECT 'attempt_events', pg_table_size('attempt_events')
UNION ALL
SELECT indexrelid::regclass::text, pg_relation_size(indexrelid)
FROM pg_index
WHERE indrelid = 'attempt_events'::regclass
"""

# What PostgreSQL had to ask the operating system for: whether its cache or the disk answered, PostgreSQL does not know.
BLOCKS_READ = """
SELECT relname::text, heap_blks_read FROM pg_statio_user_tables WHERE relname = 'attempt_events'
UNION ALL
SELECT indexrelname::text, idx_blks_read FROM pg_statio_user_indexes WHERE relname = 'attempt_events'
"""
# How long it took, in ms, of all clients together.
WAITED = """
SELECT sum(read_time), sum(write_time + extend_time)
FROM pg_stat_io
WHERE backend_type = 'client backend' AND object = 'relation'
"""
TIME_IO = "ALTER SYSTEM SET track_io_timing = on"

INSPECT_WAL = "CREATE EXTENSION pg_walinspect"
WAL_POSITION = "SELECT pg_current_wal_flush_lsn()::text"
WAL = "SELECT sum(record_size)::bigint, sum(fpi_size)::bigint FROM pg_get_wal_stats(%s, %s)"

CLIENTS = """
SELECT pid
FROM pg_stat_activity
WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()
"""


def execute(database: str, statement: LiteralString, *arguments: object) -> list[Any]:
    """Return the rows of a statement over a connection of its own."""
    with psycopg.connect(database, autocommit=True) as connection:
        cursor = connection.execute(statement, arguments or None)
        return cursor.fetchall() if cursor.description else []
