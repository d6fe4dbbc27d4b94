"""`python -m benchmarks.overload`: far more than the gateway can serve, and what it does with it."""

import asyncio
import itertools
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from statistics import quantiles
from typing import Annotated

import psutil
import typer
from rich.console import Console
from rich.table import Table

from attemptlog.local_stack import LocalStack
from benchmarks.gateway import FULL_REQUEST, MOST_REQUESTS
from benchmarks.gateways import OURS, environment_for, gateway
from benchmarks.sender import Connection, send
from benchmarks.stage import FULL, Stage

ACCEPTED, REFUSED = 202, 503
LIMIT_CONNECTIONS = 64  # enough to keep one gateway busy
OVERLOAD_CONNECTIONS = 1_500  # more than it has places for batches
RSS_INTERVAL = 0.1  # seconds

app = typer.Typer(add_completion=False)


@dataclass(frozen=True, slots=True)
class Pace:
    """How many connections send, and every how many seconds each of them."""

    connections: int
    interval: float


@dataclass
class Seen:
    """Answers by status, and the seconds that each refusal took."""

    statuses: Counter[int] = field(default_factory=Counter)
    refusals: list[float] = field(default_factory=list)
    peak_rss: int = 0
    cpu_seconds: float = 0.0


@app.command()
def main(
    times: Annotated[float, typer.Option(help="How much more than it can serve is offered.", min=1)] = 4,
    seconds: Annotated[float, typer.Option(help="How long each load lasts.", min=1)] = 10,
) -> None:
    """Compare what it serves at its limit with what it serves when far more is offered, by callers that never wait."""
    with tempfile.TemporaryDirectory() as directory, LocalStack(Path(directory)) as stack:
        usual, over = _measure(Stage(stack, FULL, Console(stderr=True).print), times, seconds)
    table = Table("load", "req/s", "accepted ev/s", "per CPU s", "refused/s", "refusal p50", "p99", "peak RSS")
    for name, seen in (("limit", usual), (f"{times:g} times", over)):
        table.add_row(name, *_figures(seen, seconds))
    Console().print(table)
    print(f"answered: {_rate(over) / _rate(usual):.1f} times as many requests")
    print(f"accepted: {_accepted(over) / _accepted(usual):.2f} times as many events")
    print(f"accepted per CPU second of the gateway: {_per_cpu_second(over) / _per_cpu_second(usual):.2f} times as many")


def _measure(stage: Stage, times: float, seconds: float) -> tuple[Seen, Seen]:
    school = stage.school(0)
    requests = [request.raw for request in school.requests(FULL_REQUEST, MOST_REQUESTS)]
    with stage.database(school.roster) as database:
        environment = environment_for(stage.bootstrap_servers, database, stage.topic())
        with gateway(OURS, environment) as (port, process):
            asyncio.run(send(port, school.first_requests()))
            usual = asyncio.run(_load(port, process, requests, Pace(LIMIT_CONNECTIONS, 0), seconds))
            pace = Pace(OVERLOAD_CONNECTIONS, OVERLOAD_CONNECTIONS * seconds / (times * _rate(usual)))
            return usual, asyncio.run(_load(port, process, requests, pace, seconds))


def _figures(seen: Seen, seconds: float) -> list[str]:
    cuts = quantiles(seen.refusals, n=100) if len(seen.refusals) > 1 else [0.0] * 99
    return [
        f"{_rate(seen) / seconds:,.0f}",
        f"{FULL_REQUEST * _accepted(seen) / seconds:,.0f}",
        f"{_per_cpu_second(seen):,.0f}",
        f"{seen.statuses[REFUSED] / seconds:,.0f}",
        f"{cuts[49] * 1000:.0f} ms",
        f"{cuts[98] * 1000:.0f} ms",
        f"{seen.peak_rss / 1e6:.0f} MB",
    ]


def _rate(seen: Seen) -> int:
    return seen.statuses.total()


def _accepted(seen: Seen) -> int:
    return seen.statuses[ACCEPTED]


def _per_cpu_second(seen: Seen) -> float:
    return FULL_REQUEST * _accepted(seen) / seen.cpu_seconds


async def _load(port: int, process: psutil.Process, requests: list[bytes], pace: Pace, seconds: float) -> Seen:
    seen, queue, until, cpu = Seen(), itertools.cycle(requests), time.monotonic() + seconds, process.cpu_times()
    async with asyncio.TaskGroup() as group:
        group.create_task(_watch(process, seen, until))
        for number in range(pace.connections):
            first = time.monotonic() + pace.interval * number / pace.connections
            group.create_task(_send_on(port, queue, seen, (first, pace.interval, until)))
    after = process.cpu_times()
    seen.cpu_seconds = after.user + after.system - cpu.user - cpu.system
    return seen


async def _watch(process: psutil.Process, seen: Seen, until: float) -> None:
    while time.monotonic() < until:
        seen.peak_rss = max(seen.peak_rss, process.memory_info().rss)
        await asyncio.sleep(RSS_INTERVAL)


async def _send_on(port: int, queue: "itertools.cycle[bytes]", seen: Seen, times: tuple[float, float, float]) -> None:
    due, interval, until = times
    connection = await Connection.open(port)
    while time.monotonic() < until:
        await asyncio.sleep(due - time.monotonic())
        due = max(due + interval, time.monotonic())
        started = time.monotonic()
        status, _ = await connection.ask(next(queue))
        seen.statuses[status] += 1
        if status == REFUSED:
            seen.refusals.append(time.monotonic() - started)
    connection.close()


if __name__ == "__main__":
    app()
