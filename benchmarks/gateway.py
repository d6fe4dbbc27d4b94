"""One gateway process, ours and the one that one writes first, in turns: CPU per event, latency, memory."""

import gc
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import cycle

import psutil
import uvloop

from attemptlog.local_stack.ports import HOST, free_port
from benchmarks.figures import Figure, Reference, Target, at_least, at_most, middle, percentile
from benchmarks.processes import cpu_seconds, memory_of, running, wait_until_ready
from benchmarks.school import SECRET, Request
from benchmarks.sender import Answers, send, send_paced
from benchmarks.stage import Stage

OURS, PLAIN = "ours", "plain"
SIDES = (PLAIN, OURS)
COMMANDS = {
    OURS: ["attemptlog.cli", "ingest"],
    PLAIN: ["uvicorn", "benchmarks.references.gateway_plain:app", "--no-access-log", "--log-level", "warning"],
}
FULL_REQUEST = 50  # events
SIZES = (FULL_REQUEST, 10, 1)  # events a request
TURNS = 3  # of each side, in each round: the machine's speed may change within seconds
MOST_REQUESTS = 20_000  # of one kind; then they come again

PER_CORE = "ev/core-s"  # events per second of the process's CPU time

Samples = defaultdict[tuple[str, object], list[float]]


@dataclass(frozen=True, slots=True)
class Kinds:
    """What is sent: whole requests by the number of events in each, and full ones with one bad event each."""

    greetings: list[Request]
    clean: dict[int, list[Request]]
    bad: list[Request]


@dataclass
class Side:
    """A running gateway with a topic of its own; `wrong` lists what was counted wrongly."""

    stage: Stage
    name: str
    port: int
    process: psutil.Process
    topic: str
    wrong: list[str] = field(default_factory=list)
    accepted: int = 0

    def greet(self, greetings: Sequence[Request]) -> None:
        """Have it look up every session."""
        self._check(uvloop.run(send(self.port, greetings)))

    def load(self, requests: Sequence[Request]) -> tuple[float, Answers]:
        """Send as fast as it answers, for a turn; return events per second of its CPU time, and the answers."""
        before = cpu_seconds(self.process)
        answers = uvloop.run(send(self.port, cycle(requests), self.stage.scale.load_seconds / TURNS))
        cpu = cpu_seconds(self.process) - before
        self._check(answers)
        return answers.events / cpu, answers

    def pace(self, requests: Sequence[Request], per_second: float) -> list[float]:
        """Send at a fixed pace, for a turn; return the latencies in seconds."""
        answers = uvloop.run(send_paced(self.port, cycle(requests), per_second, self.stage.scale.pace_seconds / TURNS))
        self._check(answers)
        return answers.latencies

    def _check(self, answers: Answers) -> None:
        self.accepted += answers.accepted
        records = self.stage.records(self.topic)
        if records != self.accepted:
            self.wrong.append(f"gateway {self.name}: {records:,} records in Kafka, {self.accepted:,} accepted")


def measure(stage: Stage) -> list[Figure]:
    """Return the rows of the gateway."""
    school = stage.school(0)
    kinds = Kinds(
        school.first_requests(),
        {size: school.requests(size, MOST_REQUESTS) for size in SIZES},
        school.requests(FULL_REQUEST, MOST_REQUESTS, with_bad_event=True),
    )
    gc.freeze()  # or a collection looks at all requests while an answer waits
    samples: Samples = defaultdict(list)
    wrong: list[str] = []
    with stage.database(school.roster) as database:
        for number in range(stage.scale.rounds):
            stage.say(f"gateway, round {number + 1} of {stage.scale.rounds} …")
            wrong += _round(stage, database, kinds, samples)
    return _rows(samples, tuple(wrong))


def _round(stage: Stage, database: str, kinds: Kinds, samples: Samples) -> list[str]:
    with ExitStack() as exits:
        sides = [exits.enter_context(_side(stage, database, name)) for name in SIDES]
        memory = exits.enter_context(memory_of(sides[SIDES.index(OURS)].process))
        for side in sides:
            side.greet(kinds.greetings)
        _measure_efficiency(sides, kinds, samples)
        samples[OURS, "memory"].append(memory.peak / 1e6)
        peaks = {side.name: middle(samples[side.name, "peak"][-TURNS:]) for side in sides}
        for side in sides * TURNS:
            latencies = side.pace(kinds.clean[FULL_REQUEST], peaks[side.name] / 2)
            samples[side.name, "p99"].append(1000 * percentile(latencies, 0.99))
        return [sentence for side in sides for sentence in side.wrong]


def _measure_efficiency(sides: Sequence[Side], kinds: Kinds, samples: Samples) -> None:
    for size, requests in kinds.clean.items():
        for side in [*sides] * TURNS:
            efficiency, answers = side.load(requests)
            samples[side.name, size].append(efficiency)
            if size == FULL_REQUEST:
                samples[side.name, "peak"].append(answers.requests_per_second)
            if size == FULL_REQUEST and side.name == OURS:
                samples[OURS, "bad"].append(side.load(kinds.bad)[0])


def _rows(samples: Samples, wrong: tuple[str, ...]) -> list[Figure]:
    def of(side: str, what: object) -> float:
        return middle(samples[side, what])

    def row(what: str, ours: object, unit: str, target: Target, reference: Reference | None = None) -> Figure:
        return Figure(f"gateway, {what}", of(OURS, ours), unit, target, reference, wrong)

    def against_plain(what: str, size: int, ratio: float) -> Figure:
        return row(what, size, PER_CORE, at_least(ratio), Reference("plain", of(PLAIN, size)))

    clean = Reference("without it", of(OURS, FULL_REQUEST))
    return [
        against_plain("50 events a request", 50, 4.5),
        against_plain("10 events a request", 10, 4.5),
        against_plain("1 event a request", 1, 3.5),
        row("50, one of them bad", "bad", PER_CORE, at_least(0.85), clean),
        row("p99 at half of the peak rate", "p99", "ms", Target("≤", 30)),
        row("the same", "p99", "ms", at_most(1), Reference("plain at half of its own", of(PLAIN, "p99"))),
        row("RSS at full load", "memory", "MB", Target("≤", 130)),
    ]


@contextmanager
def _side(stage: Stage, database: str, name: str) -> Iterator[Side]:
    topic = stage.topic()
    with gateway(name, environment_for(stage.bootstrap_servers, database, topic)) as (port, process):
        yield Side(stage, name, port, process, topic)


@contextmanager
def gateway(name: str, environment: dict[str, str]) -> Iterator[tuple[int, psutil.Process]]:
    """Run one of COMMANDS; yield its port and its process once it is ready."""
    port = free_port()
    command = [sys.executable, "-m", *COMMANDS[name], "--host", HOST, "--port", str(port)]
    with running(command, environment) as process:
        wait_until_ready(port)
        yield port, process


def environment_for(bootstrap_servers: str, database_url: str, topic: str) -> dict[str, str]:
    """Return what a gateway reads; the rate limit is out of the way because the load is one caller's a thousandfold."""
    return {
        "ATTEMPTLOG_KAFKA_BOOTSTRAP_SERVERS": bootstrap_servers,
        "ATTEMPTLOG_DATABASE_URL": database_url,
        "ATTEMPTLOG_TOPIC": topic,
        "ATTEMPTLOG_JWT_SECRET": SECRET,
        "ATTEMPTLOG_LOG_LEVEL": "WARNING",
        "ATTEMPTLOG_RATE_LIMIT_EVENTS_PER_SECOND": "1000000",
        "ATTEMPTLOG_RATE_LIMIT_BURST": "1000000",
    }
