"""Events per CPU second of one gateway process, ours and the one that one writes first, in turns."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median

import httpx
import psutil

from benchmarks.load import SECRET, SESSIONS, School, send
from local_stack.ports import free_port

START_DEADLINE = 30.0  # seconds
WARM_UP = SESSIONS  # requests before the clock starts: one of each session, so that its caches are warm
OURS, PLAIN = "ours", "plain"
COMMANDS = {
    OURS: ["cli", "ingest"],
    PLAIN: ["uvicorn", "benchmarks.references.gateway_plain:app", "--no-access-log", "--log-level", "warning"],
}


@dataclass(frozen=True, slots=True)
class GatewayFigure:
    """Medians over the rounds, in events per second of one gateway process's CPU time."""

    ours: float
    plain: float


def measure(environment: Mapping[str, str], school: School, events: int, rounds: int) -> GatewayFigure:
    """Send `events` to each gateway, `rounds` times in turns, 50 in a request."""
    requests = school.requests(events, 50)
    rates: dict[str, list[float]] = {PLAIN: [], OURS: []}
    for _ in range(rounds):
        for application, figures in rates.items():
            with gateway(application, environment) as (port, process):
                figures.append(_events_per_core_second(port, process, requests))
    return GatewayFigure(median(rates[OURS]), median(rates[PLAIN]))


def _events_per_core_second(port: int, process: psutil.Process, requests: list[bytes]) -> float:
    asyncio.run(send(port, requests[:WARM_UP]))
    before = process.cpu_times()
    asyncio.run(send(port, requests))
    after = process.cpu_times()
    return 50 * len(requests) / (after.user + after.system - before.user - before.system)


@contextmanager
def gateway(application: str, environment: Mapping[str, str]) -> Iterator[tuple[int, psutil.Process]]:
    """Run a gateway with an environment; yield its port and its process."""
    port = free_port()
    command = [sys.executable, "-m", *COMMANDS[application], "--port", str(port)]
    process = subprocess.Popen(command, env={**os.environ, **environment})
    try:
        _wait_until_ready(port)
        yield port, psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(15)


def _wait_until_ready(port: int) -> None:
    deadline = time.monotonic() + START_DEADLINE
    while time.monotonic() < deadline:
        try:
            if httpx.get(f"http://127.0.0.1:{port}/readyz").is_success:
                return
        except httpx.TransportError:
            time.sleep(0.05)
    raise RuntimeError("the gateway did not become ready")


def environment_for(bootstrap_servers: str, database_url: str, topic: str) -> dict[str, str]:
    """Return what a gateway reads; the rate limit is out of the way because the load is one caller's a thousandfold."""
    return {
        "ATTEMPTLOG_KAFKA_BOOTSTRAP_SERVERS": bootstrap_servers,
        "ATTEMPTLOG_DATABASE_URL": database_url,
        "ATTEMPTLOG_TOPIC": topic,
        "ATTEMPTLOG_JWT_SECRET": SECRET,
        "ATTEMPTLOG_RATE_LIMIT_EVENTS_PER_SECOND": "1000000",
        "ATTEMPTLOG_RATE_LIMIT_BURST": "1000000",
    }
