"""One scrape for all processes of a gateway: whichever worker is asked, all of them answer.

Each tells its siblings its metrics, with its number as the label `worker`, at a socket in Linux' abstract namespace: it
is no file, and gone with its process. The name holds a secret of the gateway's, so that nobody else's is asked.
"""

import asyncio
import logging
import os
import secrets
import socket
import sys
from collections.abc import Iterable, Iterator
from typing import Self

from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.registry import Collector

VARIABLE = "_ATTEMPTLOG_WORKERS"  # how a worker hears of its gateway: uvicorn starts it with nothing but an environment
SPARE = 8  # workers beyond those announced: a restart (SIGHUP) has one more for a while, and SIGTTIN adds some
ANSWER_TIMEOUT = 1.0  # seconds; a sibling that is busy for longer is missing in this scrape
MAX_ANSWER_BYTES = 1 << 20

logger = logging.getLogger(__name__)


def announce(workers: int) -> None:
    """Have the processes that are started from here on know each other, when there are to be several."""
    os.environ.pop(VARIABLE, None)
    if workers > 1 and sys.platform == "linux":
        os.environ[VARIABLE] = f"{workers}:{secrets.token_hex(16)}"
    elif workers > 1:
        logger.warning("a scrape shows one worker of several: only Linux has what they find each other by")


class Scrape:
    """Answers for this process, or, between entering and leaving, for all workers that `announce` has named."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._addresses = _addresses()
        self._registry: Collector = registry
        self._number: int | None = None
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        for number, address in enumerate(self._addresses):
            if (listening := _bound(address)) is not None:
                self._number = number
                self._registry = _Labelled(self._registry, str(number))
                self._server = await asyncio.start_unix_server(self._tell, sock=listening)
                return self
        if self._addresses:
            logger.warning("there are more workers than were announced: a scrape of another one does not show this")
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        if self._server is not None:
            self._server.close()

    async def text(self) -> bytes:
        """Return the metrics in Prometheus' text format."""
        siblings = [it for number, it in enumerate(self._addresses) if number != self._number]
        return merged([self._own(), *await asyncio.gather(*map(_ask, siblings))])

    def _own(self) -> bytes:
        return generate_latest(self._registry)

    async def _tell(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(self._own())
        writer.close()


class _Labelled(Collector):
    """What a registry has, each sample with the number of the worker."""

    def __init__(self, registry: Collector, worker: str) -> None:
        self._registry = registry
        self._worker = {"worker": worker}

    def collect(self) -> Iterator[Metric]:
        for family in self._registry.collect():
            family.samples = [it._replace(labels=self._worker | it.labels) for it in family.samples]
            yield family


def merged(texts: Iterable[bytes]) -> bytes:
    """Return several answers as one, in which a metric stands once, with the samples of all."""
    families: dict[bytes, list[bytes]] = {}
    for text in texts:
        for family in text.split(b"# HELP ")[1:]:
            head, _, rest = family.partition(b"\n")
            kind, _, samples = rest.partition(b"\n")
            families.setdefault(b"# HELP %b\n%b\n" % (head, kind), []).append(samples)
    return b"".join(head + b"".join(samples) for head, samples in families.items())


def _addresses() -> list[str]:
    if VARIABLE not in os.environ:
        return []
    workers, _, secret = os.environ[VARIABLE].partition(":")
    return [f"\0attemptlog-{secret}-{number}" for number in range(int(workers) + SPARE)]


def _bound(address: str) -> socket.socket | None:
    """Return a socket with this name, None where a sibling has it."""
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listening.bind(address)
    except OSError:
        listening.close()
        return None
    return listening


async def _ask(address: str) -> bytes:
    """Return what a sibling tells; nothing when there is none, or it is busy."""
    try:
        async with asyncio.timeout(ANSWER_TIMEOUT):
            reader, writer = await asyncio.open_unix_connection(sock=_connected(address))
            try:
                return await _whole(reader)
            finally:
                writer.close()
    except ConnectionRefusedError:
        return b""
    except OSError as error:  # TimeoutError is one
        logger.warning("a worker does not tell its metrics", extra={"action": "worker_silent", "error": repr(error)})
        return b""


def _connected(address: str) -> socket.socket:
    """Return a socket that is connected at once, or raise OSError; uvloop knows no abstract names."""
    calling = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        calling.setblocking(False)
        calling.connect(address)
    except OSError:
        calling.close()
        raise
    return calling


async def _whole(reader: asyncio.StreamReader) -> bytes:
    text = bytearray()
    while len(text) < MAX_ANSWER_BYTES and (piece := await reader.read(MAX_ANSWER_BYTES)):
        text += piece
    return bytes(text)
