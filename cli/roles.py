"""What the services' logins may do in the database, against what they need."""

from psycopg import AsyncConnection

from consumer import sql
from ingest_api import sessions
from schemas.grants import EXAMINE, Finding, faults, needs

NEEDED = {"attemptlog_gateway": sessions.GRANTS, "attemptlog_consumer": sql.GRANTS}

# A superuser is a member of every role, and may do everything anyway.
SELECT_LOGINS = """
SELECT rolname::text
FROM pg_roles
WHERE rolcanlogin AND rolinherit AND NOT rolsuper AND pg_has_role(oid, %(role)s, 'USAGE')
ORDER BY rolname
"""


async def role_faults(connection: AsyncConnection) -> list[str]:
    """Return a sentence for everything that a service's group role, or a login in it, lacks."""
    found: list[str] = []
    for role, grants in NEEDED.items():
        logins = await (await connection.execute(SELECT_LOGINS, {"role": role})).fetchall()
        members = [login for (login,) in logins]
        cursor = await connection.execute(EXAMINE, needs(grants, members or [role]))
        found += faults([Finding(*row) for row in await cursor.fetchall()])
    return found
