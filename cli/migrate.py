"""`attemptlog migrate`: the tables, up or down."""

from typing import Annotated

import typer

from attemptlog import migrations
from attemptlog.cli.console import out, print_json, working_on
from attemptlog.runtime.settings import OperatorSettings


def migrate(
    to: Annotated[str, typer.Option(metavar="REV", help="Bring the database up to this revision.")] = "head",
    down: Annotated[
        str | None, typer.Option(metavar="REV", help='Take it back to this revision instead; "base" undoes everything.')
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Migrate the database; harmless when it is there already."""
    database_url = OperatorSettings().database
    before = migrations.current(database_url)
    with working_on("Migrating"):
        if down is None:
            migrations.upgrade(database_url, to)
        else:
            migrations.downgrade(database_url, down)
    after = migrations.current(database_url)
    if as_json:
        print_json({"before": before, "after": after, "head": migrations.head()})
    else:
        out.print(
            f"The database is at {after or 'base'}" + (", as before." if after == before else f", was at {before}.")
        )
        if migrations.is_newer(after):
            out.print(
                f"It is of a newer attemptlog than this one, which knows {migrations.head()}, and was left as it is."
            )
