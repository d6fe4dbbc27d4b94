from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import uuid4

import pytest
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from attemptlog.cli.doctor import examine
from attemptlog.runtime.admin import Cluster, Offsets, admin_client, describe, offsets
from attemptlog.runtime.errors import OperatorError
from attemptlog.runtime.layout import wanted_layout
from attemptlog.runtime.settings import OperatorSettings
from attemptlog.runtime.topic_stay import CLEANING, longest_stay
from attemptlog.runtime.topics import check_topic, ensure_topic
from tests.support.eventually import eventually
from tests.support.services import create_topic


@pytest.fixture
async def name(kafka_bootstrap: str) -> AsyncIterator[str]:
    """Name of a topic that is not there yet."""
    name = f"attempt-events.v1.{uuid4().hex[:12]}"
    yield name
    async with admin_client(Cluster(kafka_bootstrap)) as client:
        await client.delete_topics([name])


async def test_a_topic_is_created_as_the_contract_says_and_only_once(kafka_bootstrap: str, name: str) -> None:
    first = await ensure_topic(Cluster(kafka_bootstrap), name)
    again = await ensure_topic(Cluster(kafka_bootstrap), name)

    assert (first.is_new, again.is_new) == (True, False)
    assert first.layout == again.layout == (await check_topic(Cluster(kafka_bootstrap), name)).layout
    assert (again.layout.partitions, again.layout.retention_ms) == (12, 7 * 24 * 3_600_000)
    assert again.differences == []


async def test_a_topic_that_differs_is_left_as_it_is(kafka_bootstrap: str, topic: str) -> None:
    async with admin_client(Cluster(kafka_bootstrap)) as client:
        await client.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, {"retention.ms": "60000"})])

    async def differences() -> list[str]:
        return (await ensure_topic(Cluster(kafka_bootstrap), topic)).differences

    assert "retention ms is 60000 instead of 604800000" in await eventually(differences)
    assert not (await ensure_topic(Cluster(kafka_bootstrap), topic)).is_new


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("cleanup.policy", "compact", "cleanup policy is compact instead of delete"),
        ("cleanup.policy", "compact,delete", "cleanup policy is compact,delete instead of delete"),
        ("retention.bytes", "1000000", "retention bytes is 1000000 instead of -1"),
        ("unclean.leader.election.enable", "true", "unclean leader election is true instead of false"),
        ("max.message.bytes", "100000", "max message bytes is 100000 instead of 1048576"),
        ("retention.ms", "60000", "retention ms is 60000 instead of 604800000"),
        ("min.insync.replicas", "2", "min insync replicas is 2 instead of 1"),
    ],
)
async def test_what_makes_kafka_lose_records_is_told_with_the_command_that_mends_it(
    name: str, value: str, told: str, kafka_bootstrap: str, topic: str
) -> None:
    async with admin_client(Cluster(kafka_bootstrap)) as client:
        await client.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, {name: value})])

    async def differences() -> list[str]:
        return (await check_topic(Cluster(kafka_bootstrap), topic)).differences

    assert await eventually(differences) == [told]
    [command] = (await check_topic(Cluster(kafka_bootstrap), topic)).commands
    wanted = wanted_layout(1).configs[name]
    assert command == (
        f"kafka-configs.sh --bootstrap-server {kafka_bootstrap} --alter --entity-type topics "
        f"--entity-name {topic} --add-config {name}={wanted}"
    )
    [finding] = [
        it
        for it in await examine(OperatorSettings(kafka_bootstrap_servers=kafka_bootstrap, topic=topic))
        if it.check == "topic"
    ]
    assert not finding.is_ok
    assert told in finding.detail
    assert command in finding.detail

    async with admin_client(Cluster(kafka_bootstrap)) as client:  # what the command does
        await client.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, {name: wanted})])
    await eventually(lambda: _is_as_it_should_be(kafka_bootstrap, topic))


async def _is_as_it_should_be(bootstrap_servers: str, topic: str) -> bool:
    return (await check_topic(Cluster(bootstrap_servers), topic)).differences == []


async def test_too_few_partitions_are_told_and_more_are_fine(kafka_bootstrap: str) -> None:
    few, many = await create_topic(kafka_bootstrap, 3), await create_topic(kafka_bootstrap, 24)
    state = await eventually(lambda: check_topic(Cluster(kafka_bootstrap), few))
    assert state.differences == ["partitions is 3 instead of 12"]
    assert state.commands == [
        f"kafka-topics.sh --bootstrap-server {kafka_bootstrap} --alter --topic {few} --partitions 12"
    ]
    assert (await eventually(lambda: check_topic(Cluster(kafka_bootstrap), many))).differences == []
    async with admin_client(Cluster(kafka_bootstrap)) as client:
        await client.delete_topics([few, many])


async def test_looking_for_a_topic_does_not_create_it(kafka_bootstrap: str) -> None:
    name = f"nosuch.{uuid4().hex[:12]}"

    with pytest.raises(OperatorError, match="run `attemptlog topics`"):
        await check_topic(Cluster(kafka_bootstrap), name)

    assert await offsets(Cluster(kafka_bootstrap), name) == {}
    async with admin_client(Cluster(kafka_bootstrap)) as client:
        assert await describe(client, name) is None


async def test_a_record_stays_for_the_retention_and_as_long_as_its_file_is_written_to(
    kafka_bootstrap: str, topic: str
) -> None:
    changed = {"retention.ms": "3600000", "segment.ms": "60000"}
    async with admin_client(Cluster(kafka_bootstrap)) as client:
        await client.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, changed)])

    async def stay() -> bool:
        return await longest_stay(Cluster(kafka_bootstrap), topic) == timedelta(minutes=61) + CLEANING

    await eventually(stay)


async def test_how_long_a_record_stays_in_no_topic_is_not_told(kafka_bootstrap: str) -> None:
    with pytest.raises(OperatorError, match="There is no topic"):
        await longest_stay(Cluster(kafka_bootstrap), f"no-such-{uuid4().hex}")


async def test_an_empty_topic_begins_and_ends_at_0(kafka_bootstrap: str, topic: str) -> None:
    found = await eventually(lambda: offsets(Cluster(kafka_bootstrap), topic))

    assert found == dict.fromkeys(range(12), Offsets(0, 0))


async def test_a_kafka_that_is_away_is_named() -> None:
    with pytest.raises(OperatorError, match=r"cannot be reached at 127\.0\.0\.1:1"):
        await ensure_topic(Cluster("127.0.0.1:1"), "any")
