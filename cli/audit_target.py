"""`attemptlog audit --target`: does a warehouse hold what PostgreSQL does?"""

from dataclasses import asdict

import typer
from rich.table import Table

from attemptlog.cli.console import out, print_json, working_on
from attemptlog.exporter.audit import TargetAudit, audit_target
from attemptlog.exporter.comparison import KINDS, Difference
from attemptlog.exporter.targets import target_from_environment
from attemptlog.runtime.pseudonyms import pseudonyms_of
from attemptlog.runtime.settings import OperatorSettings


def audit_warehouse(name: str, *, allow_pending: bool, as_json: bool) -> None:
    """Print the audit of a target; exit status 1 if a day differs."""
    settings = OperatorSettings()
    with working_on(f"Auditing {name}"):
        pseudonyms = pseudonyms_of(settings.pseudonym_key)
        found = audit_target(settings.database, name, target_from_environment(name), pseudonyms)
    if as_json:
        print_json(asdict(found) | {"pending": found.pending})
    else:
        _print(found, allow_pending=allow_pending)
    raise typer.Exit(1 if found.disagrees(allow_pending=allow_pending) else 0)


def _print(found: TargetAudit, *, allow_pending: bool) -> None:
    if found.kept:
        out.print(f"{found.kept} rows more are kept there after a retention.", soft_wrap=True)
    if found.pending:
        out.print(f"{found.pending} rows more are of purges that the next export does there.", soft_wrap=True)
    if not found.disagrees(allow_pending=allow_pending):
        days = f"{found.days} day{'s' * (found.days != 1)}"
        out.print(f"[bold green]agrees[/]: {found.rows} rows of {days} are in {found.target} once each", soft_wrap=True)
        return
    table = Table("day", *KINDS, title=f"Days of {found.target} that differ", title_justify="left")
    for each in found.differences:
        table.add_row(str(each.day), *(str(getattr(each, kind)) for kind in KINDS))
    out.print(table)
    for each in found.differences:
        for line in _samples(each):
            out.print(line, style="red", soft_wrap=True)
    out.print(f"[bold red]disagrees[/]: {len(found.differences)} of {found.days} days differ", soft_wrap=True)


def _samples(difference: Difference) -> list[str]:
    return [f"• {difference.day} {kind}: {', '.join(ids)}" for kind, ids in difference.sample.items()]
