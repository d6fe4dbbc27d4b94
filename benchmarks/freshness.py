"""How long an event takes from its POST until a SELECT finds it, through one gateway and one worker."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice

import psycopg
import uvloop
from psycopg import AsyncConnection

from benchmarks.drain import OURS as CONSUMER
from benchmarks.drain import settled, worker_environment
from benchmarks.figures import Figure, Target, at_most, in_rounds, percentile
from benchmarks.gateway import FULL_REQUEST
from benchmarks.gateways import OURS, environment_for, gateway
from benchmarks.processes import running, wait_until_ready
from benchmarks.references import copy_floor
from benchmarks.school import Known, Request, School
from benchmarks.sender import send, send_paced
from benchmarks.stage import Stage

PEAK_SHARE = 0.4  # of the requests; the others are for the measured pace
TRICKLE = 10.0  # events a second, one in a request
FLOOR_BATCHES = 20
LOOK_INTERVAL = 0.005  # seconds
LOOK_FOR = 500  # events a query; more are waiting only when the pace is too fast, and then the oldest are enough
STORED_WITHIN = 120.0  # seconds

LOOK = """
SELECT e.session_id::text, e.stream_id::text, e.seq
FROM unnest(%s::uuid[], %s::uuid[], %s::integer[]) AS wanted (session_id, stream_id, seq)
JOIN attempt_events e USING (session_id, stream_id, seq)
"""
# An index finds each; without statistics the planner might read the whole table instead.
NO_SCANS = "SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off"


Samples = defaultdict[str, list[float]]


@dataclass
class Watch:
    """Events sent and not seen yet, with the time at which they were due; the seconds it took to see the others."""

    waiting: dict[Known, float] = field(default_factory=dict)
    delays: list[float] = field(default_factory=list)

    def sent(self, request: Request, due: float) -> None:
        """Wait for the last event of a request."""
        self.waiting[request.last] = due

    async def keep_looking(self, database: str) -> None:
        """Look until cancelled."""
        async with await AsyncConnection.connect(database, autocommit=True) as connection:
            await connection.execute(NO_SCANS)
            while True:
                await self._look(connection)
                await asyncio.sleep(LOOK_INTERVAL)

    async def _look(self, connection: AsyncConnection) -> None:
        wanted = list(islice(self.waiting, LOOK_FOR))
        columns = [[known[place] for known in wanted] for place in range(3)]
        found = await (await connection.execute(LOOK, columns)).fetchall()
        now = time.monotonic()
        self.delays += [now - self.waiting.pop(each) for each in found]


@dataclass
class Pipeline:
    """A running gateway and worker; `sent` counts the events that have to be in the table."""

    database: str
    topic: str
    port: int
    sent: int = 0

    def peak(self, requests: Sequence[Request]) -> float:
        """Send as fast as the gateway answers; return requests per second until all was stored."""
        started = time.monotonic()
        self.sent += uvloop.run(send(self.port, requests)).accepted
        self.wait_until_stored()
        return len(requests) / (time.monotonic() - started)

    def delays(self, requests: Sequence[Request], per_second: float, seconds: float) -> list[float]:
        """Send at a pace; return the seconds it took until each request's last event was seen."""
        return uvloop.run(self._delays(requests, per_second, seconds))

    async def _delays(self, requests: Sequence[Request], per_second: float, seconds: float) -> list[float]:
        watch = Watch()
        looking = asyncio.create_task(watch.keep_looking(self.database))
        answers = await send_paced(self.port, requests, per_second, seconds, watch.sent)
        self.sent += answers.accepted
        deadline = time.monotonic() + STORED_WITHIN
        while watch.waiting and not looking.done() and time.monotonic() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(LOOK_INTERVAL)
        looking.cancel()
        return watch.delays + [float("inf")] * len(watch.waiting)

    def wait_until_stored(self) -> None:
        """Return when the worker has settled what was sent; raise TimeoutError after STORED_WITHIN."""
        deadline = time.monotonic() + STORED_WITHIN
        with psycopg.connect(self.database, autocommit=True) as connection:
            while settled(connection, self.topic) < self.sent:
                if time.monotonic() > deadline:
                    raise TimeoutError("the worker did not store what was sent")
                time.sleep(LOOK_INTERVAL)

    def wrong(self) -> tuple[str, ...]:
        """Return a sentence when the table does not hold what was sent."""
        with psycopg.connect(self.database) as connection:
            (stored,) = connection.execute("SELECT count(*) FROM attempt_events").fetchone() or (0,)
        return () if stored == self.sent else (f"{stored:,} rows are stored instead of {self.sent:,}",)


def measure(stage: Stage) -> list[Figure]:
    """Return the rows of freshness."""
    samples, schools = Samples(list), [stage.school(number) for number in range(stage.scale.rounds + 1)]
    with stage.database(*(school.roster for school in schools)) as database, _pipeline(stage, database) as pipeline:
        *at_half, slowly = schools
        for number, school in enumerate(at_half):
            stage.say(f"freshness, round {number + 1} of {len(at_half)} …")
            samples["floor"].append(_floor(stage, school))
            _round(stage, school, pipeline, samples)
        stage.say(f"freshness: at {TRICKLE:g} events/s …")
        trickle = slowly.requests(1, round(TRICKLE * stage.scale.trickle_seconds))
        slow = pipeline.delays(trickle, TRICKLE, stage.scale.trickle_seconds)
        pipeline.wait_until_stored()
        wrong = pipeline.wrong()
    floor = (f"copy_floor, {copy_floor.BATCH:,} rows", samples["floor"])
    return [
        in_rounds(
            "POST to SELECT, p50 at half of the peak", samples["p50"], "ms", at_most(1.25), against=floor, wrong=wrong
        ),
        in_rounds("POST to SELECT, p99 of the same", samples["p99"], "ms", Target("≤", 1000), wrong=wrong),
        Figure(
            f"POST to SELECT, p99 at {TRICKLE:g} ev/s",
            1000 * percentile(slow, 0.99),
            "ms",
            Target("≤", 700),
            wrong=wrong,
        ),
    ]


def _floor(stage: Stage, school: School) -> float:
    """Return the milliseconds that a batch takes the least that a consumer can do."""
    rows = copy_floor.rows_of(islice(school.envelopes(), FLOOR_BATCHES * copy_floor.BATCH))
    with stage.database(school.roster) as database:
        return 1000 * copy_floor.store(database, rows).seconds * copy_floor.BATCH / len(rows)


def _round(stage: Stage, school: School, pipeline: Pipeline, samples: Samples) -> None:
    requests = school.requests(FULL_REQUEST, school.size)
    cut = int(PEAK_SHARE * len(requests))
    peak = pipeline.peak(requests[:cut])
    stage.say(f"  at half of {peak * FULL_REQUEST:,.0f} events/s …")
    delays = pipeline.delays(requests[cut:], peak / 2, stage.scale.fresh_seconds)
    samples["p50"].append(1000 * percentile(delays, 0.5))
    samples["p99"].append(1000 * percentile(delays, 0.99))


@contextmanager
def _pipeline(stage: Stage, database: str) -> Iterator[Pipeline]:
    topic = stage.topic()
    worker = worker_environment(stage, topic, database)
    with (
        gateway(OURS, environment_for(stage.bootstrap_servers, database, topic)) as (port, _),
        running(CONSUMER, worker),
    ):
        wait_until_ready(int(worker["ATTEMPTLOG_CONSUMER_PORT"]))
        yield Pipeline(database, topic, port)
