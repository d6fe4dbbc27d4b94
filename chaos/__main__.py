"""`python -m chaos`: faults under load, round by round; exit status 1 when one event is lost or doubled."""

import asyncio
import secrets
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import psycopg
import typer

from attemptlog.runtime.sentences import sentence
from attemptlog.simulation.candidate import roster_of
from attemptlog.simulation.enrolment import enrol
from attemptlog.simulation.tokens import TokenMint
from chaos.faults import ALONE, FAULTS
from chaos.load import Load
from chaos.plan import Strike, plan
from chaos.report import err, out, print_error, print_round, print_table
from chaos.rounds import Game, Outcome
from chaos.stage import Stage, running_stage

SEEDS = 2**32

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command(epilog="Example: python -m chaos --rounds 100 --seed 7")
def main(
    rounds: Annotated[int, typer.Option(min=1, help="Rounds to play.")] = 20,
    seed: Annotated[int | None, typer.Option(help="The same seed is the same faults.", show_default="random")] = None,
    candidates: Annotated[int, typer.Option(min=1, help="Candidates who send meanwhile.")] = 16,
    lock_seconds: Annotated[float, typer.Option(min=0, help="How long attempt_events is locked.")] = 30,
    directory: Annotated[
        Path | None,
        typer.Option(file_okay=False, help="New folder for data and logs.", show_default="kept only after a failure"),
    ] = None,
) -> None:
    """Kill, freeze and cut every part of the pipeline under load; exit status 1 if one event is lost or doubled."""
    seed = secrets.randbelow(SEEDS) if seed is None else seed
    out.print(f"seed {seed}")
    planned = plan(list(FAULTS), rounds, seed, ALONE)
    with _folder(directory) as folder:
        outcomes = asyncio.run(_play(folder, planned, seed, candidates, timedelta(seconds=lock_seconds)))
        print_table(outcomes)
        if any(outcome.problems for outcome in outcomes):
            raise typer.Exit(1)


@contextmanager
def _folder(wanted: Path | None) -> Iterator[Path]:
    """Yield the folder that is wanted, or one that is removed unless something goes wrong."""
    folder = wanted or Path(tempfile.mkdtemp(prefix="attemptlog-chaos-"))
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o711)  # PostgreSQL runs as another user when we are root
    try:
        yield folder
    except BaseException as error:
        err.print(f"Data and logs are in {folder}.", soft_wrap=True)
        if message := sentence(error):
            print_error(message)
            raise typer.Exit(1) from error
        raise
    if wanted is None:
        shutil.rmtree(folder)


async def _play(
    directory: Path, planned: Sequence[Sequence[Strike]], seed: int, candidates: int, lock_time: timedelta
) -> list[Outcome]:
    err.print("Starting Kafka, PostgreSQL, two gateways and two consumers …")
    async with running_stage(directory, lock_time) as stage, await _class(stage, seed, candidates) as load:
        game = Game(stage, load)
        outcomes = []
        for number, strikes in enumerate(planned, start=1):
            outcomes.append(await game.play(strikes))
            print_round(number, len(planned), outcomes[-1])
        return outcomes


async def _class(stage: Stage, seed: int, candidates: int) -> Load:
    roster = roster_of(candidates, str(seed))
    async with await psycopg.AsyncConnection.connect(stage.database_url) as connection:
        await enrol(connection, roster)
    return Load([gateway.url for gateway in stage.gateways], roster, TokenMint(stage.jwt_secret), seed)


if __name__ == "__main__":
    app()
