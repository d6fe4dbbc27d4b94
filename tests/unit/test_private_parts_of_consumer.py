"""What aiokafka and FastStream keep to themselves and we use: an upgrade that takes it away is to fail here."""

import ast
import asyncio
import contextlib
import inspect
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.client import AIOKafkaClient, ConnectionGroup
from aiokafka.consumer.fetcher import Fetcher
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.errors import KafkaConnectionError, KafkaError
from aiokafka.protocol.metadata import MetadataRequest

from attemptlog.consumer.faststream_private import LookingBroker
from attemptlog.consumer.heartbeat import FENCED_INSTANCE_ID
from attemptlog.consumer.membership import raise_if_ended, raise_if_fenced
from attemptlog.event_store.errors import CannotRun
from attemptlog.runtime.aiokafka_private import ASIDE, abandon, client_of, connection_to, look_only

ROOT = Path(__file__).parents[2]
ROOMS = ("runtime", "publisher", "event_store", "consumer", "simulation", "local_pipeline", "cli")
MAY_TOUCH = {
    "runtime/aiokafka_private.py": {"_client", "_conns", "_metadata_update", "_sender"},
    "consumer/membership.py": {"_coordinator", "_fetcher"},
    "consumer/faststream_private.py": {"_connect"},
}
NOT_PRIVATE = {"_asdict", "_exit", "_fields", "_make", "_replace"}  # in spite of their names


def touched(file: Path) -> Iterator[str]:
    """Yield the private names that a file uses of anything but its own `self`."""
    for node in ast.walk(ast.parse(file.read_text())):
        if not isinstance(node, ast.Attribute) or not node.attr.startswith("_") or node.attr.startswith("__"):
            continue
        if not (isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")):
            yield node.attr


@pytest.mark.parametrize("room", ROOMS)
def test_private_parts_are_touched_in_one_file_each(room: str) -> None:
    found = {
        f"{room}/{file.name}": names
        for file in (ROOT / room).rglob("*.py")
        if (names := set(touched(file)) - NOT_PRIVATE)
    }
    assert found == {file: names for file, names in MAY_TOUCH.items() if file.startswith(f"{room}/")}


@dataclass
class Connection:
    """Takes requests and answers none."""

    error_code: int | None = None
    sent: list[Any] = field(default_factory=list)

    def connected(self) -> bool:
        return True

    async def send(self, request: Any, **_: object) -> Any:
        self.sent.append(request)
        if self.error_code is None:
            raise KafkaConnectionError
        return SimpleNamespace(error_code=self.error_code)

    async def close(self, **_: object) -> None: ...


@pytest.fixture
async def consumer() -> AsyncIterator[AIOKafkaConsumer]:
    """A consumer with all its parts, none of which is connected."""
    consumer = AIOKafkaConsumer(bootstrap_servers="127.0.0.1:1", group_id="g")
    client, subscription = consumer._client, consumer._subscription
    consumer._fetcher = Fetcher(client, subscription)
    consumer._coordinator = GroupCoordinator(client, subscription, group_id="g")
    await asyncio.sleep(0)  # its tasks begin, or they could not be stopped
    yield consumer
    await consumer.stop()


def asks_for(client: AIOKafkaClient) -> bytes:
    """Return the end of the request that a client sends for a topic: whether it may be created."""
    sent: list[Any] = client._conns["bootstrap", ConnectionGroup.DEFAULT].sent
    return bytes(sent.pop().prepare({MetadataRequest.API_KEY: (0, 4)}).encode()[-1:])


async def test_a_client_asks_for_metadata_without_creating_topics_once_it_is_told_to(
    consumer: AIOKafkaConsumer,
) -> None:
    client = client_of(consumer)
    client._conns["bootstrap", ConnectionGroup.DEFAULT] = Connection()
    await client._metadata_update(client.cluster, ["t"])
    assert asks_for(client) == b"\x01", "aiokafka creates none by itself any more: look_only can go"
    look_only(client)
    await client._metadata_update(client.cluster, ["t"])
    assert asks_for(client) == b"\x00"


async def test_a_connection_is_found_by_its_broker(consumer: AIOKafkaConsumer) -> None:
    client, connection = client_of(consumer), Connection(error_code=0)
    assert connection_to(client, 1) is None
    client._conns[1, ConnectionGroup.DEFAULT] = connection
    await client.send(1, MetadataRequest([]))
    assert (connection_to(client, 1), len(connection.sent)) == (connection, 1)


async def test_a_consumer_that_fetches_no_more_is_found(consumer: AIOKafkaConsumer) -> None:
    raise_if_ended(consumer)
    fetcher, fetching = consumer._fetcher, consumer._fetcher._fetch_task
    fetcher._fetch_task = asyncio.get_running_loop().create_future()
    fetcher._fetch_task.set_exception(KafkaError("Unexpected error during data retrieval"))
    with pytest.raises(KafkaError, match="data retrieval"):
        raise_if_ended(consumer)
    fetcher._fetch_task = fetching
    assert "self._fetch_task = create_task(self._fetch_requests_routine())" in inspect.getsource(Fetcher.__init__)


async def test_who_is_fenced_is_found_by_the_answer_to_a_heartbeat(consumer: AIOKafkaConsumer) -> None:
    group, connection = consumer._coordinator, Connection(error_code=FENCED_INSTANCE_ID)
    client_of(consumer)._conns[1, ASIDE] = connection
    await raise_if_fenced(consumer, "i")  # it is no member yet
    group.member_id, group.generation, group.coordinator_id = "m", 3, 1
    await raise_if_fenced(consumer, None)
    assert connection.sent == []
    with pytest.raises(CannotRun, match="another consumer has joined the group g as i"):
        await raise_if_fenced(consumer, "i")
    [heartbeat] = connection.sent
    assert heartbeat._fields == ("g", 3, "m", "i")
    connection.error_code = 0
    await raise_if_fenced(consumer, "i")


def test_a_consumer_keeps_its_parts_under_the_names_that_are_used() -> None:
    start = inspect.getsource(AIOKafkaConsumer.start)
    assert "self._fetcher = Fetcher(" in start
    assert "self._coordinator = GroupCoordinator(" in start


async def test_a_subscriber_of_faststream_builds_consumers_that_only_look() -> None:
    broker = LookingBroker("127.0.0.1:1", consumer_only=True)
    subscriber = broker.subscriber("t", group_id="g")
    await broker.connect()
    consumer = subscriber.builder(group_id="g")
    client = client_of(consumer)
    client._conns["bootstrap", ConnectionGroup.DEFAULT] = Connection()
    await client._metadata_update(client.cluster, ["t"])
    assert asks_for(client) == b"\x00"
    await consumer.stop()
    await broker.stop()


async def test_a_producer_is_abandoned_with_what_waits_in_it() -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def send_for_ever() -> None:
        begun.set()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        ended.set()

    producer = AIOKafkaProducer(bootstrap_servers="127.0.0.1:1")
    producer._sender._sender_routine = send_for_ever
    await producer._sender.start()
    await begun.wait()

    await abandon(producer)

    assert ended.is_set()
    producer._closed = True  # as its own stop, which was not waited for, does at its beginning
