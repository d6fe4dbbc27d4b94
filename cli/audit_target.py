"""`attemptlog audit --target`: does a warehouse hold what PostgreSQL does?"""

from dataclasses import asdict

import typer
from rich.table import Table

from attemptlog.cli.console import out, print_json, working_on
from attemptlog.exporter.audit import TargetAudit, audit_target
from attemptlog.exporter.comparison import KINDS, Difference
from attemptlog.exporter.targets import target_from_environment
from attemptlog.runtime.settings import OperatorSettings


def audit_warehouse(name: str, *, as_json: bool) -> None:
    """Print the audit of a target; exit status 1 if a day differs."""
    settings = OperatorSettings()
    with working_on(f"Auditing {name}"):
        found = audit_target(settings.database, name, target_from_environment(name))
    if as_json:
        print_json(asdict(found))
    else:
        _print(found)
    raise typer.Exit(1 if found.differences else 0)


def _print(found: TargetAudit) -> None:
    if not found.differences:
        days = f"{found.days} day{'s' * (found.days != 1)}"
        out.print(f"[bold green]agrees[/]: {found.rows} rows of {days} are in {found.target} once each")
        return
    table = Table("day", *KINDS, title=f"Days of {found.target} that differ", title_justify="left")
    for each in found.differences:
        table.add_row(str(each.day), *(str(getattr(each, kind)) for kind in KINDS))
    out.print(table)
    for each in found.differences:
        for line in _samples(each):
            out.print(line, style="red", soft_wrap=True)
    out.print(f"[bold red]disagrees[/]: {len(found.differences)} of {found.days} days differ")


def _samples(difference: Difference) -> list[str]:
    return [f"• {difference.day} {kind}: {', '.join(ids)}" for kind, ids in difference.sample.items()]
