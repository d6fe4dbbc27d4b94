"""Whether PostgreSQL still refuses changes of what is append-only: an owner can turn a trigger off and forget it."""

from psycopg import AsyncConnection

GUARDS = {
    "attempt_events": ("attempt_events_append_only", "attempt_events_no_truncate"),
    "event_sessions": ("event_sessions_append_only",),
    "event_questions": ("event_questions_append_only",),
    "data_accesses": ("data_accesses_append_only", "data_accesses_no_truncate"),
}

EXAMINE = """
SELECT guarded, guard, tgname IS NOT NULL
FROM unnest(%(tables)s::text[], %(guards)s::text[]) AS guards (guarded, guard)
LEFT JOIN pg_trigger ON tgrelid = to_regclass(guarded) AND tgname = guard
WHERE tgenabled IS NULL OR tgenabled NOT IN ('O', 'A')
"""


async def unguarded(connection: AsyncConnection) -> list[str]:
    """Return a sentence, without its full stop, for each trigger that is off; the database has to be migrated."""
    pairs = [(table, guard) for table, guards in GUARDS.items() for guard in guards]
    names = {"tables": [table for table, _ in pairs], "guards": [guard for _, guard in pairs]}
    found = await (await connection.execute(EXAMINE, names)).fetchall()
    return [_fault(table, guard, is_there=is_there) for table, guard, is_there in found]


def _fault(table: str, guard: str, *, is_there: bool) -> str:
    if is_there:
        return f"rows of {table} can be changed: ALTER TABLE {table} ENABLE TRIGGER {guard}"
    return f"rows of {table} can be changed: create its trigger {guard} again, as in migrations/versions"
