"""Measures a table as it grows. Each size is a line of JSON at once, so that a run may be stopped."""

import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from attemptlog.local_stack import LocalStack
from benchmarks.growth.points import VARIANTS, Growth
from benchmarks.stage import FULL, Stage

MILLION = 1_000_000
FEWEST = 500  # candidates: the events of a class are to fill several of the largest batches

console = Console(stderr=True, highlight=False, soft_wrap=True)
app = typer.Typer(add_completion=False)


@app.command()
def main(
    out: Annotated[Path, typer.Argument(help="Lines of JSON, added to.", dir_okay=False)],
    *,
    rows: Annotated[str, typer.Option(help="Millions of rows, in ascending order.")] = "1,10,50",
    rounds: Annotated[int, typer.Option(help="Classes stored at each size, in turns.", min=1)] = 3,
    candidates: Annotated[int, typer.Option(help="Of a class, with 165 events each.", min=FEWEST)] = FULL.candidates,
    variants: Annotated[
        bool, typer.Option("--variants", help="At the last size, also with larger batches and with fewer indexes.")
    ] = False,
    in_order: Annotated[bool, typer.Option("--in-order", help="Give sessions UUIDv7 in place of random ids.")] = False,
) -> None:
    """Store, read and weigh at each size; 50 million rows take up to an hour, and 33 GB where temporary files go."""
    sizes = [float(each) * MILLION for each in rows.split(",")]
    with _stage(candidates) as stage, stage.database() as database:
        growth = Growth(stage, database, rounds, in_order, _say)
        for point in growth.points(sizes, VARIANTS if variants else ()):
            with out.open("a") as lines:
                lines.write(json.dumps(asdict(point)) + "\n")


@contextmanager
def _stage(candidates: int) -> Iterator[Stage]:
    with tempfile.TemporaryDirectory() as directory:
        stack = LocalStack(Path(directory))
        stack.postgres.start()  # Kafka is not needed
        try:
            yield Stage(stack, replace(FULL, candidates=candidates), _say)
        finally:
            stack.postgres.stop("immediate")


def _say(what: str) -> None:
    console.print(f"{time.strftime('%H:%M:%S')}  {what}")


if __name__ == "__main__":
    app()
