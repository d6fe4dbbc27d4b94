"""`attemptlog export`: what is stored, into a warehouse."""

from datetime import datetime
from typing import Annotated

import typer

from attemptlog.cli.console import counting, fact_table, out, print_json, working_on
from attemptlog.cli.moments import HELP, parse_moment, shown
from attemptlog.cli.who import ByOption, WhyOption, looker
from attemptlog.event_store.export_status import ExportStatus
from attemptlog.exporter.status import get_export_status
from attemptlog.exporter.targets import DEFAULT, require_known

export = typer.Typer(no_args_is_help=True, help="Export stored events to a warehouse, each exactly once.")

TargetName = Annotated[str, typer.Option(help="Where to: the settings of that name say which.")]


@export.command(epilog="Example: attemptlog export run --target parquet --once")
def run(
    target: TargetName = DEFAULT,
    once: Annotated[bool, typer.Option("--once", help="Export what there is, and end.")] = False,
    since: Annotated[
        datetime | None,
        typer.Option(
            parser=parse_moment,
            metavar="WHEN",
            help=f"With --once: send what is exported already, from then on, once more. {HELP}",
        ),
    ] = None,
    by: ByOption = None,
    why: WhyOption = None,
) -> None:
    """Export until it is told to stop, with health and metrics on port 8002; or once, for cron."""
    from attemptlog.exporter import app as exporter  # noqa: PLC0415 - of all that it brings, the status needs nothing

    who = looker("export run", by, why)
    if not once:
        if since is not None:
            raise typer.BadParameter("--since needs --once")
        raise typer.Exit(exporter.run(target, looker=who))
    with counting(f"Exporting to {target}") as progress:
        rows = exporter.export_attempt_events_to_warehouse(since, target=target, progress=progress, looker=who)
    out.print(f"[bold green]exported[/]: {rows} rows to {target}", soft_wrap=True)


@export.command(epilog="Example: attemptlog export status --json")
def status(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Say how far each target is; exit status 1 if one of them does not go on."""
    found = get_export_status()
    if as_json:
        print_json([each.as_data() for each in found])
    elif not found:
        out.print(
            "Nothing was exported yet: run `attemptlog export run --target parquet --once`.",
            markup=False,
            soft_wrap=True,
        )
    else:
        for each in found:
            out.print(fact_table(each.target, _facts(each)))
    raise typer.Exit(1 if any(each.failures for each in found) else 0)


@export.command(epilog="Example: attemptlog export resync --target parquet --apply")
def resync(
    target: TargetName = DEFAULT,
    apply: Annotated[bool, typer.Option("--apply", help="Do it; without, say what it would do.")] = False,
    by: ByOption = None,
    why: WhyOption = None,
) -> None:
    """Have everything sent once more, after database or target were restored; the target keeps one of each row."""
    require_known(target)
    if not apply:
        out.print(
            f"Every stored event would be sent to {target} once more, and what it has already would be left out. "
            "Rows that only the target has stay; `attemptlog audit` names them. Do it with --apply.",
            soft_wrap=True,
        )
        return
    from attemptlog.exporter import app as exporter  # noqa: PLC0415 - as above

    with working_on(f"Beginning anew with {target}"):
        exporter.resync(target, looker=looker("export resync", by, why))
    out.print(
        f"The next `attemptlog export run --target {target}` sends every event once more.", markup=False, soft_wrap=True
    )


def _facts(found: ExportStatus) -> dict[str, str]:
    facts = {
        "exported until": shown(found.exported_until) or "not yet",
        "lag": f"{found.lag_seconds:,.0f} s" if found.lag_seconds is not None else "",
        "watermark (transaction)": str(found.horizon),
        "exported rows": f"{found.exported_rows:,}",
        "batches": f"{found.batches:,}",
        "pending rows": f"{found.pending_rows:,}",
        "pending purges": str(found.pending_purges),
        "last success": shown(found.succeeded_at) or "never",
        "failures since": str(found.failures),
    }
    if not found.is_backfilled:
        facts["from before"] = "still being exported"
    if found.forgotten_rows:
        facts["forgotten rows"] = f"{found.forgotten_rows:,}"
    if found.open_batch:
        facts["batch in hand"] = f"{found.open_batch}, attempt {found.attempts}"
    if found.error:
        facts["last failure"] = f"{shown(found.failed_at)} {found.error_class}: {found.error}"
    if (held := found.held_back_by) is not None:
        who = f"pid {held.pid}" if held.pid else f"prepared transaction {held.gid}"
        age = f"for {held.age:,.0f} s" if held.age is not None else "(its age needs pg_read_all_stats)"
        facts["held back by"] = f"{who} {age}, {held.user or '?'} in {held.database or '?'} {held.application or ''}"
    return facts
