"""How PostgreSQL makes sure that the session, the user and the question of an event are there."""

from typing import NamedTuple

from psycopg import AsyncConnection

FIRST_WITH_NOT_ENFORCED = 180_000  # server_version_num
KEYS = ["attempt_events_session_id_fkey", "attempt_events_user_id_fkey", "attempt_events_question_id_fkey"]
TRIGGERS = ["attempt_events_parents_of_new", "attempt_events_parents_of_changed"]
TURN_ON = (
    "add what is missing again, as in migration 0002, and ALTER TABLE … ENABLE TRIGGER ALL for attempt_events and the "
    "tables that it refers to"
)

# A foreign key of which a trigger of PostgreSQL's own is turned off checks nothing, and is not said to be so anywhere.
EXAMINE = """
SELECT
    split_part(current_setting('server_version'), ' ', 1), -- packagers add their own name
    current_setting('server_version_num')::integer,
    ARRAY(
        SELECT conname::text
        FROM pg_constraint
        WHERE conrelid = 'attempt_events'::regclass
            AND conname = ANY(%(keys)s)
            AND right(pg_get_constraintdef(oid), 12) <> 'NOT ENFORCED'
            AND NOT EXISTS (
                SELECT FROM pg_trigger WHERE tgconstraint = pg_constraint.oid AND tgenabled NOT IN ('O', 'A')
            )
    ),
    ARRAY(
        SELECT tgname::text
        FROM pg_trigger
        WHERE tgrelid = 'attempt_events'::regclass AND tgname = ANY(%(triggers)s) AND tgenabled IN ('O', 'A')
    )
"""


class References(NamedTuple):
    """What checks the references of attempt_events: foreign keys row by row, triggers statement by statement."""

    version: str
    version_number: int
    keys: list[str]
    triggers: list[str]

    @property
    def are_checked_by_statement(self) -> bool:
        return len(self.triggers) == len(TRIGGERS)

    @property
    def unchecked(self) -> list[str]:
        """The foreign keys that neither hold by themselves nor have the triggers in their place."""
        return [] if self.are_checked_by_statement else [key for key in KEYS if key not in self.keys]

    @property
    def knows_not_enforced(self) -> bool:
        return self.version_number >= FIRST_WITH_NOT_ENFORCED

    @property
    def fault(self) -> str | None:
        """What is wrong and what to do, in one sentence without its full stop; None when every reference is checked."""
        if not self.unchecked:
            return None
        remedy = "run `attemptlog migrate`" if self.knows_not_enforced else TURN_ON
        return f"nothing checks {', '.join(self.unchecked)} of attempt_events any more: {remedy}"

    @property
    def description(self) -> str:
        """How they are checked, and how to have them checked in less time where this server can."""
        if not self.keys:
            return "references are checked once per statement, by triggers"
        by_row = "references are checked row by row, by foreign keys"
        if not self.knows_not_enforced:
            return f"{by_row}, as on every server before 18 (this is {self.version})"
        return f"{by_row}; this server ({self.version}) can do so by statement, in less time: run `attemptlog migrate`"


async def find_references(connection: AsyncConnection) -> References:
    """Ask the server; the database has to be migrated to 0006 or later."""
    cursor = await connection.execute(EXAMINE, {"keys": KEYS, "triggers": TRIGGERS})
    [found] = await cursor.fetchall()
    return References(*found)
