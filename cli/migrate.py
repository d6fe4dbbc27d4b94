"""`attemptlog migrate`: the tables, up or down, and which indexes the events have."""

from typing import Annotated, Any

import typer

from attemptlog import migrations
from attemptlog.cli.console import out, print_json, working_on
from attemptlog.runtime.errors import OperatorError
from attemptlog.runtime.settings import OperatorSettings


def migrate(
    to: Annotated[str, typer.Option(metavar="REV", help="Bring the database up to this revision.")] = "head",
    down: Annotated[
        str | None, typer.Option(metavar="REV", help='Take it back to this revision instead; "base" undoes everything.')
    ] = None,
    indexes: Annotated[
        migrations.IndexSet | None,
        typer.Option(help="Have attempt_events indexed by this set; without it, what is there stays."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Migrate the database; harmless when it is there already."""
    if indexes and (down is not None or to != migrations.HEAD):
        raise OperatorError("--indexes is for a database that is brought up to date: give it without --to and --down.")
    database_url = OperatorSettings().database
    before = migrations.current(database_url)
    with working_on("Migrating"):
        if down is None:
            migrations.upgrade(database_url, to)
        else:
            migrations.downgrade(database_url, down)
    after = migrations.current(database_url)
    done = _use_indexes(database_url, indexes) if indexes else None
    if as_json:
        print_json({"before": before, "after": after, "head": migrations.head()} | _indexes_as_data(done))
        return
    was = "as before" if after == before else f"was at {before or 'base'}"
    out.print(f"The database is at {after or 'base'}, {was}.")
    if migrations.is_newer(after):
        out.print(f"It is of a newer attemptlog than this one, which knows {migrations.head()}, and was left as it is.")
    if done:
        out.print(_told(done), soft_wrap=True)


def _use_indexes(database_url: str, wanted: migrations.IndexSet) -> migrations.Switch:
    with working_on("Making and dropping indexes beside whoever stores"):
        return migrations.use_indexes(database_url, wanted)


def _indexes_as_data(done: migrations.Switch | None) -> dict[str, Any]:
    return {"indexes": {"set": done.wanted, "made": done.made, "dropped": done.dropped}} if done else {}


def _told(done: migrations.Switch) -> str:
    """What was done, in a sentence."""
    told = {"made": done.made, "dropped": done.dropped}
    steps = [f"{what} {', '.join(names)}" for what, names in told.items() if names]
    return f"The indexes of attempt_events are the {done.wanted} ones, {'; '.join(steps) or 'as before'}."
