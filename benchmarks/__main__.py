"""`python -m benchmarks`: what the gateway and the consumer do, against references in the same run."""

import json
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from attemptlog.local_stack import LocalStack
from benchmarks import backlog, consumer, export, export_column, freshness, gateway, table_size
from benchmarks.figures import MISS, Figure, failed, table_of
from benchmarks.stage import FULL, QUICK, Stage


class Subject(StrEnum):
    """What can be measured by itself."""

    GATEWAY = "gateway"
    CONSUMER = "consumer"
    MEMORY = "memory"
    TABLE_SIZE = "table-size"
    FRESHNESS = "freshness"
    EXPORT = "export"
    EXPORT_COLUMN = "export-column"


MEASURES: dict[Subject, Callable[[Stage], list[Figure]]] = {
    Subject.GATEWAY: gateway.measure,
    Subject.CONSUMER: consumer.measure,
    Subject.MEMORY: backlog.measure,
    Subject.TABLE_SIZE: table_size.measure,
    Subject.FRESHNESS: freshness.measure,
    Subject.EXPORT: export.measure,
    Subject.EXPORT_COLUMN: export_column.measure,
}
WIDTH = 150  # columns, where there is no terminal

out = Console(width=None if Console().is_terminal else WIDTH)
err = Console(stderr=True, highlight=False)
app = typer.Typer(add_completion=False)


@app.command()
def main(
    quick: Annotated[bool, typer.Option("--quick", help="One round of less: is it still right, not how fast.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    only: Annotated[list[Subject] | None, typer.Option(help="Measure this; may be given again.")] = None,
    events: Annotated[
        Path | None,
        typer.Option(metavar="FILE", exists=True, dir_okay=False, help="A recorded log, not the simulator."),
    ] = None,
) -> None:
    """Compare gateway, consumer and exporter with references, in turns; exit status 1 when a row misses its target.

    Absolute figures drift with the machine: the ratios are what counts.
    """
    started = time.monotonic()

    def say(what: str) -> None:
        err.print(f"{time.monotonic() - started:5.0f} s  {what}")

    rows = []
    with ExitStack() as exits:
        directory = Path(exits.enter_context(tempfile.TemporaryDirectory()))
        say("starting Kafka and PostgreSQL …")
        stage = Stage(exits.enter_context(LocalStack(directory)), QUICK if quick else FULL, say, events)
        for subject in only or MEASURES:
            rows += _measured(subject, stage)
    seconds = time.monotonic() - started
    if as_json:
        print(json.dumps({"seconds": round(seconds), "rows": [row.as_data() for row in rows]}, indent=2))
    else:
        _print(rows, f"{stage.scale.rounds} rounds of {stage.school(0).size:,} events, {seconds / 60:.1f} minutes")
    raise typer.Exit(any(row.verdict == MISS for row in rows))


def _measured(subject: Subject, stage: Stage) -> list[Figure]:
    try:
        return MEASURES[subject](stage)
    except Exception as error:  # the other subjects can still be measured
        err.print_exception()
        return [failed(subject.value, f"{subject.value} could not be measured: {error!r}")]


def _print(rows: list[Figure], title: str) -> None:
    out.print(table_of(rows, title))
    for sentence in dict.fromkeys(sentence for row in rows for sentence in row.notes):
        out.print(f"• {sentence}", markup=False)


if __name__ == "__main__":
    app()
