"""One gateway process, ours, the one that one writes first, and one in Go, in turns: CPU per event, latency, memory."""

import gc
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from itertools import cycle

import psutil
import uvloop

from benchmarks.figures import Figure, Target, at_least, at_most, in_rounds, middle, percentile
from benchmarks.gateways import GO, OURS, PLAIN, GoMissing, NoGo, build_go, environment_for, gateway
from benchmarks.processes import cpu_seconds, memory_of
from benchmarks.school import Request
from benchmarks.sender import Answers, send, send_paced
from benchmarks.stage import Stage

FULL_REQUEST = 50  # events
NAMES = {FULL_REQUEST: "50 events a request", 10: "10 events a request", 1: "1 event a request"}
# By events a request, what is to be reached of the references.
AGAINST_PLAIN = {FULL_REQUEST: 4.5, 10: 4.5, 1: 3.5}
AGAINST_GO = {FULL_REQUEST: 0.8, 10: 0.65, 1: 0.45}
TURNS = 3  # of each side, in each round: the machine's speed may change within seconds
MOST_REQUESTS = 20_000  # of one kind; then they come again

PER_CORE = "ev/core-s"  # events per second of the process's CPU time

Sample = tuple[str, object]
Samples = defaultdict[Sample, list[float]]


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
        {size: school.requests(size, MOST_REQUESTS) for size in NAMES},
        school.requests(FULL_REQUEST, MOST_REQUESTS, with_bad_event=True),
    )
    gc.freeze()  # or a collection looks at all requests while an answer waits
    samples: Samples = defaultdict(list)
    wrong: list[str] = []
    no_go = _why_no_go()
    names = (OURS, PLAIN) if no_go else (OURS, PLAIN, GO)
    with stage.database(school.roster) as database:
        for number in range(stage.scale.rounds):
            stage.say(f"gateway, round {number + 1} of {stage.scale.rounds} …")
            wrong += _round(stage, database, names, kinds, samples)
    return _rows(samples, tuple(wrong), no_go)


def _why_no_go() -> NoGo | None:
    try:
        build_go()
    except NoGo as error:
        return error
    return None


def _round(stage: Stage, database: str, names: Sequence[str], kinds: Kinds, samples: Samples) -> list[str]:
    with ExitStack() as exits:
        sides = [exits.enter_context(_side(stage, database, name)) for name in names]
        memory = exits.enter_context(memory_of(sides[names.index(OURS)].process))
        for side in sides:
            side.greet(kinds.greetings)
        _measure_efficiency(sides, kinds, samples)
        samples[OURS, "memory"].append(memory.peak / 1e6)
        peaks = {side.name: middle(samples[side.name, "peak"][-TURNS:]) for side in sides}
        for side in [side for side in sides if side.name != GO] * TURNS:
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


def _rows(samples: Samples, wrong: tuple[str, ...], no_go: NoGo | None) -> list[Figure]:
    def row(what: str, ours: object, unit: str, target: Target, against: tuple[str, Sample] | None = None) -> Figure:
        theirs = (against[0], samples[against[1]]) if against else None
        return in_rounds(f"gateway, {what}", samples[OURS, ours], unit, target, against=theirs, wrong=wrong)

    def against(side: str, ratios: Mapping[int, float]) -> list[Figure]:
        return [
            row(NAMES[size], size, PER_CORE, at_least(least), (side, (side, size))) for size, least in ratios.items()
        ]

    return [
        *against(PLAIN, AGAINST_PLAIN),
        *without_go(against(GO, AGAINST_GO), no_go),
        row("50, one of them bad", "bad", PER_CORE, at_least(0.85), ("without it", (OURS, FULL_REQUEST))),
        row("p99 at half of the peak rate", "p99", "ms", Target("≤", 10)),
        row("the same", "p99", "ms", at_most(1), ("plain at half of its own", (PLAIN, "p99"))),
        row("RSS at full load", "memory", "MB", Target("≤", 130)),
    ]


def without_go(rows: Sequence[Figure], why: NoGo | None) -> list[Figure]:
    """Return the rows against Go: left out where there is none, and wrong where it would not build."""
    if isinstance(why, GoMissing):
        return [replace(row, left_out=str(why)) for row in rows]
    return [replace(row, wrong=(*row.wrong, str(why))) for row in rows] if why else [*rows]


@contextmanager
def _side(stage: Stage, database: str, name: str) -> Iterator[Side]:
    topic = stage.topic()
    with gateway(name, environment_for(stage.bootstrap_servers, database, topic)) as (port, process):
        yield Side(stage, name, port, process, topic)
