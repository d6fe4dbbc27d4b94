"""One round: load and faults together, then everything mended and drained, then the account."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import psycopg
from aiokafka.errors import KafkaError

from attemptlog.event_store.accounts import NOTHING, Audit, Counts
from attemptlog.event_store.audit import settled_audit
from attemptlog.runtime.errors import OperatorError
from chaos.accounting import problems, read_stored
from chaos.faults import FAULTS
from chaos.load import Load
from chaos.plan import Strike
from chaos.stage import Stage

SHORTEST_LOAD = 3.0  # seconds
RECOVERY_DEADLINE = 60.0  # seconds from the last fault's end for the services, and again for the rest to be stored
ANSWER_DEADLINE = 4.0  # seconds; a gateway's own is 2.25, and the rest for a machine that also runs everything else
POLL_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Totals:
    """Counts since the start."""

    accepted: int = 0
    refused: int = 0
    ledger: Counts = NOTHING

    def __sub__(self, earlier: "Totals") -> "Totals":
        return Totals(self.accepted - earlier.accepted, self.refused - earlier.refused, self.ledger - earlier.ledger)

    def __add__(self, other: "Totals") -> "Totals":
        return Totals(self.accepted + other.accepted, self.refused + other.refused, self.ledger + other.ledger)


@dataclass(frozen=True, slots=True)
class Outcome:
    """A round; `recovery` is the seconds from the end of its last fault until all was answered and stored."""

    faults: list[str]
    counts: Totals
    recovery: float
    problems: list[str]


class Game:
    """The rounds on one stage, with one class of candidates."""

    def __init__(self, stage: Stage, load: Load) -> None:
        self._stage = stage
        self._load = load
        self._before = Totals()

    async def play(self, strikes: Sequence[Strike]) -> Outcome:
        """Play a round to its end; what went wrong is in the outcome."""
        over = asyncio.Event()
        self._load.witness.slowest_answer = 0.0
        async with asyncio.TaskGroup() as group:
            group.create_task(self._load.run(over))
            await asyncio.gather(asyncio.sleep(SHORTEST_LOAD), *(self._strike(strike) for strike in strikes))
            lifted = time.monotonic()
            found = self._stage.mend()
            over.set()
            found += await self._stage.recover_within(RECOVERY_DEADLINE) + self._stage.mend()
        audit = await self._settled(time.monotonic() + RECOVERY_DEADLINE)
        recovery = time.monotonic() - lifted
        found += self._stage.mend()
        found += audit.problems()
        found += self._late_answers(strikes)
        if not audit.pending:  # what is not stored yet is not lost, and the next round looks at everything again
            found += problems(self._load.witness, await read_stored(self._stage.database_url))
        return Outcome([strike.fault for strike in strikes], self._growth(audit), recovery, found)

    async def _strike(self, strike: Strike) -> None:
        await asyncio.sleep(strike.after)
        await FAULTS[strike.fault](self._stage, Random(strike.seed))

    async def _settled(self, deadline: float) -> Audit:
        """Audit until nothing is pending or the deadline is reached."""
        stage = self._stage
        while True:
            try:
                wait = max(0.0, deadline - time.monotonic())
                return await settled_audit(stage.kafka, stage.database_url, stage.topic, wait)
            except (OperatorError, KafkaError, psycopg.OperationalError):
                if time.monotonic() > deadline:
                    raise
            await asyncio.sleep(POLL_SECONDS)

    def _late_answers(self, strikes: Sequence[Strike]) -> list[str]:
        slowest = self._load.witness.slowest_answer
        if slowest <= ANSWER_DEADLINE or all(strike.fault != "slow neighbour" for strike in strikes):
            return []
        return [f"a gateway took {slowest:.1f} s to answer while a neighbour was slow"]

    def _growth(self, audit: Audit) -> Totals:
        witness = self._load.witness
        now = Totals(len(witness.accepted), witness.refused, audit.total + audit.closed)
        growth, self._before = now - self._before, now
        return growth
