"""The memory of one worker that finds a long backlog; `python -m benchmarks.backlog`: a longer one, or the largest."""

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from attemptlog.local_stack import LocalStack
from attemptlog.schemas import MAX_PAYLOAD_BYTES, Envelope
from benchmarks.drain import Backlog, Drained, drain
from benchmarks.figures import Figure, Target
from benchmarks.stage import FULL, Stage

LARGEST = b'{"a":"' + b"x" * (MAX_PAYLOAD_BYTES - 8) + b'"}'

console = Console(stderr=True)
app = typer.Typer(add_completion=False)


@app.command()
def main(
    records: Annotated[int, typer.Option(help="Records that wait, in whole classes.", min=1)] = 5_000_000,
    largest: Annotated[bool, typer.Option(help="Give each the largest legal payload.")] = False,
    seconds: Annotated[float, typer.Option(help="How long to watch, at most.", min=1)] = 120,
) -> None:
    """Print the peak of the consumer's memory while it works on a backlog."""
    with tempfile.TemporaryDirectory() as directory, LocalStack(Path(directory)) as stack:
        it, drained = _watch(Stage(stack, FULL, console.print), records, seconds, largest=largest)
    print(f"{it.records:,} records waited; the consumer's RSS peaked at {drained.memory:.0f} MB")
    print(*(f"{sentence} after {seconds:g} s" for sentence in drained.wrong), sep="\n", end="")


def measure(stage: Stage) -> list[Figure]:
    """Return the row of the worker's memory."""
    it, drained = _watch(stage, stage.scale.backlog)
    name = f"consumer, RSS with a backlog of {it.records / 1e6:.1f} million"
    return [Figure(name, drained.memory, "MB", Target("≤", 160), wrong=drained.wrong)]


def _watch(stage: Stage, records: int, seconds: float = 120, *, largest: bool = False) -> tuple[Backlog, Drained]:
    it = Backlog(stage.topic())
    while it.records < records:
        school = stage.school(len(it.rosters))
        it.add(school, stage.publish(it.topic, _enlarged(school.envelopes()) if largest else school.envelopes()))
        stage.say(f"{it.records:,} records wait …")
    with stage.database(*it.rosters) as database:
        return it, drain(stage, it, database, within=seconds)


def _enlarged(envelopes: Iterator[Envelope]) -> Iterator[Envelope]:
    return (replace(envelope, payload_json=LARGEST) for envelope in envelopes)


if __name__ == "__main__":
    app()
