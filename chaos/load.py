"""Candidates who remember what the gateways answered for."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from itertools import cycle
from random import Random
from typing import Any, Self
from uuid import UUID

import httpx
import orjson

from attemptlog.schemas import IngestReply
from attemptlog.simulation.sitting import Roster
from attemptlog.simulation.tokens import TokenMint
from chaos.accounting import Event, Witness

PATH = "/v1/telemetry/events"
EVENTS_PER_BATCH = (1, 8)
THINKS = (0.05, 0.5)  # seconds between batches
TIMEOUT = 6.0  # seconds; three times the gateways' delivery deadline
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 2.0  # seconds before sending again
PATIENCE = 60.0  # seconds for one batch

SENDS_TWICE = 0.03  # share of batches, as a client does whose reply was lost
LEAVES = 0.02  # share of batches whose sender closes the page before the answer can be there …
LEAVES_AFTER = 0.01  # … so many seconds after sending
OLD_PAGES = 0.25  # share of candidates whose page sends no stream
RELOADS = 0.05  # share of batches after which the others go on in another load of the page
GIVES_UP = 0.05  # chance after every refusal

TRY_AGAIN = {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}


@dataclass(frozen=True, slots=True)
class Batch:
    """What a request says, and the events in it."""

    events: list[Event]
    request: dict[str, Any]

    def body(self, now: datetime) -> bytes:
        """Return the body of a request that is made now; an old page says no time."""
        told = {"sent_at": now} if "stream_id" in self.request else {}
        return orjson.dumps(self.request | told)


class Load:
    """A class of candidates, each with one session that goes on from round to round."""

    def __init__(self, gateway_urls: Sequence[str], roster: Roster, mint: TokenMint, seed: int) -> None:
        self.witness = Witness()
        self._client = httpx.AsyncClient(timeout=TIMEOUT, limits=httpx.Limits(max_connections=None))
        questions = sorted(roster.question_ids)
        self._candidates = [
            Candidate(session, mint.mint(user, datetime.now(UTC)), questions, gateway_urls, f"{seed}:{session}")
            for session, user in roster.sessions.items()
        ]

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._client.aclose()

    async def run(self, over: asyncio.Event) -> None:
        """Send until it is over; return when every batch is accepted or given up."""
        async with asyncio.TaskGroup() as room:
            for candidate in self._candidates:
                room.create_task(candidate.sit(self._client, self.witness, over))


class Candidate:
    """One browser: its batches go one after the other, a refused one again and to the other gateway."""

    def __init__(self, session: str, token: str, questions: list[str], gateway_urls: Sequence[str], seed: str) -> None:
        self._session = session
        self._headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
        self._questions = questions
        self._dice = Random(seed)
        self._gateways = cycle(self._dice.sample(gateway_urls, len(gateway_urls)))
        self._gateway = next(self._gateways)
        self._stream: str | None = None
        self._last_seq = 0
        if self._dice.random() >= OLD_PAGES:
            self._load_page()

    async def sit(self, client: httpx.AsyncClient, witness: Witness, over: asyncio.Event) -> None:
        """Send batch after batch until it is over."""
        while not over.is_set():
            await asyncio.sleep(self._dice.uniform(*THINKS))
            if self._stream and self._dice.random() < RELOADS:
                self._load_page()
            batch = self._next_batch(witness)
            if self._dice.random() < LEAVES:
                await self._post(client, witness, batch, timeout=LEAVES_AFTER)
                continue
            await self._deliver(client, witness, batch)
            if self._dice.random() < SENDS_TWICE:
                await self._deliver(client, witness, batch)

    async def _deliver(self, client: httpx.AsyncClient, witness: Witness, batch: Batch) -> None:
        """Send a batch until it is accepted, or given up by chance or after PATIENCE."""
        deadline = time.monotonic() + PATIENCE
        for pause in _pauses():
            if await self._post(client, witness, batch):
                return
            if self._dice.random() < GIVES_UP or time.monotonic() > deadline:
                return
            self._gateway = next(self._gateways)
            await asyncio.sleep(pause * self._dice.uniform(0.5, 1))

    async def _post(
        self,
        client: httpx.AsyncClient,
        witness: Witness,
        batch: Batch,
        timeout: float = TIMEOUT,  # noqa: ASYNC109
    ) -> bool:
        """Send a batch once, note the answer, and return whether it is accepted."""
        body = batch.body(datetime.now(UTC))
        started = time.monotonic()
        try:
            answer = await client.post(self._gateway + PATH, content=body, headers=self._headers, timeout=timeout)
        except httpx.TransportError:
            witness.slowest_answer = max(witness.slowest_answer, time.monotonic() - started)
            witness.refused += len(batch.events)
            return False
        witness.slowest_answer = max(witness.slowest_answer, time.monotonic() - started)
        if answer.status_code == HTTPStatus.ACCEPTED and _accepted(answer) == len(batch.events):
            witness.accept(batch.events)
            return True
        witness.refused += len(batch.events)
        if answer.status_code not in TRY_AGAIN:
            witness.surprises[f"a gateway answered {answer.status_code} to good events: {answer.text[:200]}"] += 1
        return False

    def _load_page(self) -> None:
        self._stream = str(UUID(int=self._dice.getrandbits(128), version=4))
        self._last_seq = 0

    def _next_batch(self, witness: Witness) -> Batch:
        count = self._dice.randint(*EVENTS_PER_BATCH)
        seqs = range(self._last_seq + 1, self._last_seq + 1 + count)
        self._last_seq += count
        nonces = {Event(self._session, seq, self._stream): f"{self._dice.getrandbits(32):08x}" for seq in seqs}
        witness.sent |= nonces
        events = [self._event(event, nonce) for event, nonce in nonces.items()]
        told = {"stream_id": self._stream} if self._stream else {}
        return Batch(list(nonces), {"source": "web", "events": events} | told)

    def _event(self, event: Event, nonce: str) -> dict[str, Any]:
        return {
            "event_type": "ANSWER_CHANGED",
            "session_id": event.session_id,
            "seq": event.seq,
            "client_ts": datetime.now(UTC).isoformat(),
            "question_id": self._dice.choice(self._questions),
            "payload": {"choice": self._dice.randrange(4), "nonce": nonce},
        }


def _accepted(answer: httpx.Response) -> int:
    return IngestReply.model_validate_json(answer.content).accepted


def _pauses() -> Iterator[float]:
    pause = FIRST_PAUSE
    while True:
        yield pause
        pause = min(2 * pause, LONGEST_PAUSE)
