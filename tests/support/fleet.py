"""Gateways and consumers of several releases beside each other, behind one address, and what they have done."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass, field

import httpx

from tests.support.consumer import ConsumerProcess, consumer, consumer_role
from tests.support.eventually import PATIENCE, eventually
from tests.support.front import Front, front
from tests.support.http import gateway
from tests.support.purge import KEY
from tests.support.series import scraped

A_FEW = 10  # events: more than what may have been on its way
INSTANCE = "upgraded-in-place"


@dataclass
class Fleet:
    """Runs services as their own logins; a `tree` is that of another release, None is ours."""

    servers: str
    topic: str
    database_url: str
    logins: Mapping[str, str]
    front: Front
    stack: AsyncExitStack
    consumers: list[ConsumerProcess] = field(default_factory=list)
    gateways: dict[str, ExitStack] = field(default_factory=dict)

    async def add_consumer(self, tree: str | None = None, **settings: str) -> None:
        """Start one more, and return once it is ready."""
        added = consumer(self.servers, self.logins["consumer"], self.topic, tree=tree, pseudonym_key=KEY, **settings)
        it = self.stack.enter_context(added)
        await eventually(it.is_ready)
        self.consumers.append(it)

    async def remove_consumer(self) -> None:
        """Stop the one that has run for longest."""
        assert await asyncio.to_thread(self.consumers.pop(0).stop) == 0

    async def replace_consumer(self, tree: str | None = None) -> None:
        """Stop the only one of the instance INSTANCE and start another in its place, as a StatefulSet does."""
        [it] = [each for each in self.consumers if "consumer_instance_id" in each.settings]
        self.consumers.remove(it)
        assert await asyncio.to_thread(it.stop) == 0
        await self.add_consumer(tree, consumer_instance_id=INSTANCE)

    async def add_gateway(self, tree: str | None = None) -> str:
        """Start one more, which takes turns with the others once it is ready; return its address."""
        lifetime = ExitStack()
        self.stack.callback(lifetime.close)
        added = gateway(self.servers, self.logins["gateway"], self.topic, tree=tree, pseudonym_key=KEY)
        url = await asyncio.to_thread(lifetime.enter_context, added)
        self.gateways[url] = lifetime
        self.front.gateways = [*filter(None, self.front.gateways), url]
        return url

    def take_turns(self, *urls: str) -> None:
        """Let these gateways have the requests from now on."""
        self.front.gateways = list(urls)

    async def remove_gateway(self, url: str) -> None:
        """Stop one, which goes on being sent requests until it has ended."""
        await asyncio.to_thread(self.gateways[url].close)
        self.front.gateways.remove(url)

    async def works(self) -> None:
        """Return once each gateway in turn has accepted a few more events, and each consumer has stored a few more."""
        before = await self._done()

        async def is_further() -> bool:
            return all(now >= before[of] + A_FEW for of, now in (await self._done()).items())

        await eventually(is_further)

    async def _done(self) -> dict[str, float]:
        accepted = [_total(url, "attemptlog_ingest_events_accepted_total") for url in self.front.gateways]
        stored = [
            _total(f"http://127.0.0.1:{it.port}", "attemptlog_consumer_records_total", outcome="inserted")
            for it in self.consumers
        ]
        return dict(await asyncio.gather(*accepted, *stored))


async def _total(url: str, name: str, **labels: str) -> tuple[str, float]:
    """Return a service's address and what it has counted: 0 where it has not yet."""
    async with httpx.AsyncClient(base_url=url, timeout=PATIENCE) as client:
        families = scraped((await client.get("/metrics")).text).values()
    samples = [sample for family in families for sample in family.samples if sample.name == name]
    return url, sum(sample.value for sample in samples if sample.labels == labels)


@asynccontextmanager
async def launched(servers: str, topic: str, database_url: str) -> AsyncIterator[Fleet]:
    """Yield a fleet without ships; whatever sails is stopped at the end."""
    async with AsyncExitStack() as stack:
        logins = {of: stack.enter_context(consumer_role(database_url, of)) for of in ("gateway", "consumer")}
        yield Fleet(servers, topic, database_url, logins, await stack.enter_async_context(front("")), stack)
