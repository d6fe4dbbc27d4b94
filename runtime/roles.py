"""What the services' logins may do in the database, against what they need."""

from collections.abc import Mapping

from psycopg import AsyncConnection

from attemptlog.runtime.grants import EXAMINE, Finding, faults, needs

# A superuser is a member of every role, and may do everything anyway.
SELECT_LOGINS = """
SELECT rolname::text
FROM pg_roles
WHERE rolcanlogin AND rolinherit AND NOT rolsuper AND pg_has_role(oid, %(role)s, 'USAGE')
ORDER BY rolname
"""

# What is set for a login, or for all of them, in this database or everywhere; the later ones in this order win.
SELECT_SETTINGS = """
SELECT split_part(setting, '=', 1), substring(setting FROM position('=' IN setting) + 1)
FROM pg_db_role_setting
CROSS JOIN unnest(setconfig) AS setting
WHERE setrole IN (0, (SELECT oid FROM pg_roles WHERE rolname = %(login)s))
    AND setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
ORDER BY setrole <> 0, setdatabase <> 0
"""
SELECT_SCHEMA = """
SELECT nspname::text
FROM pg_class
JOIN pg_namespace ON pg_namespace.oid = relnamespace
WHERE pg_class.oid = to_regclass('attemptlog_version')
"""


async def role_faults(connection: AsyncConnection, needed: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Return a sentence for everything that a service's group role, or a login in it, lacks.

    `needed` are, by group role, privileges by table, such as "SELECT, INSERT".
    """
    found: list[str] = []
    for role, grants in needed.items():
        logins = await (await connection.execute(SELECT_LOGINS, {"role": role})).fetchall()
        members = [login for (login,) in logins]
        cursor = await connection.execute(EXAMINE, needs(grants, members or [role]))
        found += faults([Finding(*row) for row in await cursor.fetchall()])
        for login in members:
            found += await _setting_faults(connection, login, is_writer=set(grants.values()) != {"SELECT"})
    return found


async def _setting_faults(connection: AsyncConnection, login: str, *, is_writer: bool) -> list[str]:
    cursor = await connection.execute(SELECT_SETTINGS, {"login": login})
    settings: dict[str, str] = dict(await cursor.fetchall())
    [[schema]] = await (await connection.execute(SELECT_SCHEMA)).fetchall()
    found: list[str] = []
    path = [name.strip().strip('"') for name in str(settings.get("search_path", schema)).split(",")]
    if schema not in [login if name == "$user" else name for name in path]:
        found.append(
            f"{login} does not find the tables, which are in the schema {schema}: "
            f"ALTER ROLE {login} SET search_path = {schema}"
        )
    if settings.get("session_replication_role", "origin") != "origin":
        found.append(
            f"{login} has triggers and foreign keys turned off: ALTER ROLE {login} RESET session_replication_role"
        )
    if is_writer and settings.get("default_transaction_read_only", "off") in ("on", "true", "yes", "1"):
        found.append(
            f"{login} may only read (default_transaction_read_only), and waits until that is over: "
            f"ALTER ROLE {login} RESET default_transaction_read_only, or the same of the database"
        )
    return found
