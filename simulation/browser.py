"""Posts batches as the browser's client does: waits when told to, and sends again what got no answer."""

import asyncio
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Self

import httpx
from cachetools import LRUCache

from attemptlog.runtime.errors import OperatorError
from attemptlog.schemas import IngestReply
from attemptlog.simulation.batches import Batch
from attemptlog.simulation.tally import Tally
from attemptlog.simulation.tokens import TokenMint

PATH = "/v1/telemetry/events"
CONNECTIONS = 48  # enough to keep one gateway process busy
TIMEOUT = timedelta(seconds=15)  # three times the gateway's delivery deadline
RETRY_FOR = timedelta(seconds=60)
FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=0.2), timedelta(seconds=5)
TOKENS_KEPT = 10_000

TRY_AGAIN = frozenset(
    {
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.INTERNAL_SERVER_ERROR,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)
# Answers that came before anything was published: the events are surely not in Kafka.
NOT_TAKEN = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS})
COUNTED = frozenset({HTTPStatus.ACCEPTED, HTTPStatus.BAD_REQUEST, HTTPStatus.FORBIDDEN})


class Browsers:
    """All browsers of a class over CONNECTIONS connections; every answer goes into `tally`."""

    def __init__(self, gateway_url: str, mint: TokenMint, tally: Tally) -> None:
        self._mint = mint
        self._record = tally
        self._tokens: LRUCache[str, str] = LRUCache(TOKENS_KEPT)
        # One connection each: a client with a pool looks at all of its connections for every request.
        trust = httpx.create_ssl_context()
        self._clients = [
            httpx.AsyncClient(base_url=gateway_url, timeout=TIMEOUT.total_seconds(), verify=trust)
            for _ in range(CONNECTIONS)
        ]
        self._idle: asyncio.LifoQueue[httpx.AsyncClient] = asyncio.LifoQueue()

    async def __aenter__(self) -> Self:
        for client in self._clients:
            self._idle.put_nowait(client)
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        for client in self._clients:
            await client.aclose()

    async def check(self) -> None:
        """Raise OperatorError when no gateway answers; from then on, one that is away is waited for."""
        try:
            answer = await self._clients[0].get("/healthz")
        except httpx.TransportError as error:
            raise OperatorError(
                f"No gateway answers at {self._clients[0].base_url}: start it, or name another with --gateway."
            ) from error
        if answer.status_code != HTTPStatus.OK:
            raise OperatorError(f"What answers at {answer.request.url} is no gateway: name one with --gateway.")

    async def post(self, batch: Batch, *, is_repeat: bool = False) -> None:
        """Send a batch until it is answered for good or RETRY_FOR has passed; raise OperatorError for a bad set-up."""
        self._record.sent += len(batch.seqs)
        self._record.repeated += len(batch.seqs) * is_repeat
        sent_at, pause, failed = time.time(), FIRST_PAUSE, 0
        started = time.monotonic()
        deadline = started + RETRY_FOR.total_seconds()
        while True:
            answer = await self._try(batch, time.monotonic() - started, failed)
            failed += 1
            if answer is not None and answer.status_code not in TRY_AGAIN:
                return self._note(batch, answer, sent_at)
            if answer is None or answer.status_code not in NOT_TAKEN:
                self._record.doubt(batch.stream, batch.seqs, sent_at)
            wait = max(_retry_after(answer.headers) if answer else 0.0, pause.total_seconds())
            if time.monotonic() + wait > deadline:
                return self._record.lose(batch.stream, batch.seqs, sent_at)
            self._record.retries += 1
            await asyncio.sleep(wait)
            pause = min(2 * pause, LONGEST_PAUSE)

    async def _try(self, batch: Batch, after: float, failed: int) -> httpx.Response | None:
        headers = {
            "authorization": f"Bearer {self._token(batch.user_id)}",
            "content-type": "application/json",
            "accept": f"application/json;flushes=1;retries={failed}",
        }
        client = await self._idle.get()
        try:
            return await client.post(PATH, content=batch.request(after), headers=headers)
        except httpx.TransportError:
            return None
        finally:
            self._idle.put_nowait(client)

    def _token(self, user_id: str) -> str:
        token = self._tokens.get(user_id)
        if token is None:
            token = self._tokens[user_id] = self._mint.mint(user_id, datetime.now(UTC))
        return token

    def _note(self, batch: Batch, answer: httpx.Response, sent_at: float) -> None:
        reply = _reply(answer)
        refused = {rejection.index: rejection.code for rejection in reply.rejected_reasons_sample}
        for code in refused.values():
            self._record.reject(1, code)
        if unexplained := reply.rejected - len(refused):  # the reply names five at most
            self._record.reject(unexplained, "not named in the reply")
        if reply.accepted + len(refused) == len(batch.seqs):
            taken = [seq for index, seq in enumerate(batch.seqs) if index not in refused]
            self._record.accept(batch.stream, taken, sent_at)
        else:
            self._record.accepted += reply.accepted
            self._record.doubt(batch.stream, batch.seqs, sent_at)


def _reply(answer: httpx.Response) -> IngestReply:
    if answer.status_code in COUNTED and b'"accepted"' in answer.content:
        return IngestReply.model_validate_json(answer.content)
    if answer.status_code == HTTPStatus.UNAUTHORIZED:
        raise OperatorError(
            "The gateway refuses our tokens: ATTEMPTLOG_JWT_SECRET, _AUDIENCE and _ISSUER must be the gateway's."
        )
    raise OperatorError(
        f"{answer.request.url} answered {answer.status_code}, which no gateway does to a good batch: check --gateway."
    )


def _retry_after(headers: Mapping[str, str]) -> float:
    """Return the seconds to wait; the gateway never sends the date form of the header."""
    value = headers.get("retry-after", "")
    return float(value) if value.isdecimal() else 0.0
