from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from cli.errors import OperatorError
from cli.kafka import admin_client, describe, offsets
from cli.ledger import Offsets
from cli.topics import check_topic, ensure_topic
from tests.support.eventually import eventually


@pytest.fixture
async def name(kafka_bootstrap: str) -> AsyncIterator[str]:
    """Name of a topic that is not there yet."""
    name = f"attempt-events.v1.{uuid4().hex[:12]}"
    yield name
    async with admin_client(kafka_bootstrap) as client:
        await client.delete_topics([name])


async def test_a_topic_is_created_as_the_contract_says_and_only_once(kafka_bootstrap: str, name: str) -> None:
    first = await ensure_topic(kafka_bootstrap, name)
    again = await ensure_topic(kafka_bootstrap, name)

    assert (first.is_new, again.is_new) == (True, False)
    assert first.layout == again.layout == (await check_topic(kafka_bootstrap, name)).layout
    assert (again.layout.partitions, again.layout.retention_ms) == (12, 7 * 24 * 3_600_000)
    assert again.differences == []


async def test_a_topic_that_differs_is_left_as_it_is(kafka_bootstrap: str, topic: str) -> None:
    async with admin_client(kafka_bootstrap) as client:
        await client.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, {"retention.ms": "60000"})])

    async def differences() -> list[str]:
        return (await ensure_topic(kafka_bootstrap, topic)).differences

    assert "retention ms is 60000 instead of 604800000" in await eventually(differences)
    assert not (await ensure_topic(kafka_bootstrap, topic)).is_new


async def test_looking_for_a_topic_does_not_create_it(kafka_bootstrap: str) -> None:
    name = f"nosuch.{uuid4().hex[:12]}"

    with pytest.raises(OperatorError, match="run `attemptlog topics`"):
        await check_topic(kafka_bootstrap, name)

    assert await offsets(kafka_bootstrap, name) == {}
    async with admin_client(kafka_bootstrap) as client:
        assert await describe(client, name) is None


async def test_an_empty_topic_begins_and_ends_at_0(kafka_bootstrap: str, topic: str) -> None:
    found = await eventually(lambda: offsets(kafka_bootstrap, topic))

    assert found == dict.fromkeys(range(12), Offsets(0, 0))


async def test_a_kafka_that_is_away_is_named() -> None:
    with pytest.raises(OperatorError, match=r"cannot be reached at 127\.0\.0\.1:1"):
        await ensure_topic("127.0.0.1:1", "any")
