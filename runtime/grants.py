"""What a role may do with tables: its grants, and the rows that policies hide from it."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from psycopg import AsyncConnection, sql

from attemptlog.runtime.postgres import SURVEY, Survey, pin, unfit

# What the gateway's role has, and needs.
GATEWAY_GRANTS = {
    "test_sessions": "SELECT",
    "exam_questions": "SELECT",
    "suppressions": "SELECT",
    "suppression_key": "SELECT",
}

# The rows that a policy may hide are told by the role alone, so that an owner can ask for others.
EXAMINE = """
SELECT
    role.rolname::text,
    needed.name,
    needed.privilege,
    CASE
        WHEN tables.oid IS NULL THEN 'missing'
        WHEN NOT has_schema_privilege(role.oid, tables.relnamespace, 'USAGE') THEN 'no usage'
        WHEN NOT CASE
            WHEN needed.privilege = 'DELETE' THEN has_table_privilege(role.oid, tables.oid, 'DELETE')
            ELSE has_any_column_privilege(role.oid, tables.oid, needed.privilege)
        END THEN 'no privilege'
        WHEN NOT tables.relrowsecurity
            OR role.rolsuper
            OR role.rolbypassrls
            OR (pg_has_role(role.oid, tables.relowner, 'USAGE') AND NOT tables.relforcerowsecurity) THEN 'fit'
        WHEN needed.privilege <> 'SELECT' OR policies.show_all IS NOT TRUE THEN 'hidden'
        ELSE 'shown'
    END
FROM pg_roles role
CROSS JOIN unnest(%(tables)s::text[], %(privileges)s::text[]) AS needed (name, privilege)
LEFT JOIN pg_class tables ON tables.oid = to_regclass(needed.name)
CROSS JOIN LATERAL (
    SELECT bool_or(polpermissive AND pg_get_expr(polqual, polrelid) = 'true') AND bool_and(polpermissive) AS show_all
    FROM pg_policy
    WHERE polrelid = tables.oid
        AND polcmd IN ('*', 'r')
        AND EXISTS (
            SELECT
            FROM unnest(polroles) AS meant (oid)
            WHERE CASE WHEN meant.oid = 0 THEN true ELSE pg_has_role(role.oid, meant.oid, 'USAGE') END
        )
) policies
WHERE role.rolname = ANY(%(roles)s)
ORDER BY role.rolname, needed.name
"""


class Finding(NamedTuple):
    """What a role may do with a table: a row of EXAMINE."""

    role: str
    table: str
    privilege: str
    state: str


async def examine(
    connection: AsyncConnection[Any], grants: Mapping[str, str], limits: Mapping[str, str]
) -> tuple[list[str], sql.Composed]:
    """Return what keeps the connection's role from using its `grants`, in sentences, and what `pin` returns for it.

    `limits` are settings that every transaction is to have.
    """
    async with connection.transaction():
        [survey] = map(Survey._make, await (await connection.execute(SURVEY)).fetchall())
        await connection.execute(pin(survey, limits))
        cursor = await connection.execute(EXAMINE, needs(grants, [survey.role]))
        findings = [Finding(*row) for row in await cursor.fetchall()]
    fault = unfit(survey)
    return [fault] if fault else faults(findings), pin(survey, {**limits, **row_security(findings)})


def needs(grants: Mapping[str, str], roles: Iterable[str]) -> dict[str, list[str]]:
    """Return the parameters of EXAMINE: `grants` are privileges by table, such as "SELECT, INSERT"."""
    pairs = [(table, privilege) for table, several in grants.items() for privilege in several.split(", ")]
    return {"roles": list(roles), "tables": [t for t, _ in pairs], "privileges": [p for _, p in pairs]}


def faults(findings: Iterable[Finding]) -> list[str]:
    """Return a sentence for everything that a role lacks; empty when it lacks nothing."""
    findings = list(findings)
    missing = dict.fromkeys(finding.table for finding in findings if finding.state == "missing")
    written = {(finding.role, finding.table) for finding in findings if finding.privilege != "SELECT"}
    told = [f"the database lacks {', '.join(missing)}: run `attemptlog migrate`"] if missing else []
    others = [_fault(finding, is_written=finding[:2] in written) for finding in findings]
    return list(dict.fromkeys([*told, *filter(None, others)]))


def row_security(findings: Iterable[Finding]) -> dict[str, str]:
    """Return the setting: on only where there are policies, and they show the role every row."""
    states = {finding.state for finding in findings}
    return {"row_security": "on" if "shown" in states and "hidden" not in states else "off"}


def _fault(finding: Finding, *, is_written: bool) -> str | None:
    role, table, privilege, state = finding
    match state:
        case "no usage":
            return f"{role} may not use the schema of {table}: GRANT USAGE ON SCHEMA … TO {role}"
        case "no privilege":
            return f"{role} may not {privilege} {table}: GRANT {privilege} ON {table} TO {role}"
        case "hidden":
            return (
                f"row level security on {table} hides rows from {role}: ALTER ROLE {role} BYPASSRLS"
                + f", or CREATE POLICY … ON {table} FOR SELECT TO {role} USING (true)" * (not is_written)
            )
    return None
