"""`attemptlog topics`: the topic as the pipeline needs it."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Annotated

import typer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import TopicAlreadyExistsError, for_code

from cli.console import out, print_json, working_on
from cli.errors import OperatorError
from cli.kafka import admin_client, describe, no_such_topic, topic_configs
from cli.settings import CliSettings
from schemas import ATTEMPT_EVENTS

REPLICATION = 3
MIN_INSYNC_REPLICAS = 2  # one broker may be away and what is acknowledged is still on two

KNOWN_WITHIN = timedelta(seconds=10)
POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Layout:
    """How a topic is laid out in Kafka."""

    partitions: int
    replication: int
    retention_ms: int
    min_insync_replicas: int

    @property
    def configs(self) -> dict[str, str]:
        """The settings by Kafka's names."""
        return {"retention.ms": str(self.retention_ms), "min.insync.replicas": str(self.min_insync_replicas)}

    def differences(self, wanted: "Layout") -> Iterator[str]:
        """Yield a sentence for everything that is not as wanted."""
        for name, found in asdict(self).items():
            if found != (expected := getattr(wanted, name)):
                yield f"{name.replace('_', ' ')} is {found} instead of {expected}"


@dataclass(frozen=True, slots=True)
class TopicState:
    """A topic after it was created or checked."""

    topic: str
    is_new: bool
    layout: Layout
    differences: list[str]


def wanted_layout(brokers: int) -> Layout:
    """Return the layout for a cluster: three replicas, two of them in sync, or what so many brokers can hold."""
    replication = min(REPLICATION, brokers)
    return Layout(
        partitions=ATTEMPT_EVENTS.partitions,
        replication=replication,
        retention_ms=int(ATTEMPT_EVENTS.retention.total_seconds() * 1000),
        min_insync_replicas=min(MIN_INSYNC_REPLICAS, max(1, replication - 1)),
    )


def topics(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Create the topic, or say how the one that is there differs; exit status 1 if it does."""
    settings = CliSettings()
    with working_on("Asking Kafka"):
        state = asyncio.run(ensure_topic(settings.kafka, settings.topic))
    if as_json:
        print_json(asdict(state))
    else:
        _print(state)
    raise typer.Exit(1 if state.differences else 0)


def _print(state: TopicState) -> None:
    layout = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in asdict(state.layout).items())
    out.print(f"{state.topic} {'created' if state.is_new else 'is there'}: {layout}", soft_wrap=True)
    for difference in state.differences:
        out.print(f"• {difference}", style="red")


async def ensure_topic(bootstrap_servers: str, topic: str) -> TopicState:
    """Create the topic when there is none; a topic that differs is left as it is."""
    async with admin_client(bootstrap_servers) as client:
        wanted = wanted_layout(len((await client.describe_cluster())["brokers"]))
        is_new = False
        if await describe(client, topic) is None:
            is_new = await _create(client, topic, wanted)
            await _wait_until_known(client, topic)
        layout = await _layout(client, topic)
    return TopicState(topic, is_new, layout, list(layout.differences(wanted)))


async def check_topic(bootstrap_servers: str, topic: str) -> TopicState:
    """Say how the topic is; raise OperatorError when there is none."""
    async with admin_client(bootstrap_servers) as client:
        wanted = wanted_layout(len((await client.describe_cluster())["brokers"]))
        layout = await _layout(client, topic)
    return TopicState(topic, False, layout, list(layout.differences(wanted)))


async def _create(client: AIOKafkaAdminClient, topic: str, layout: Layout) -> bool:
    """Return False when somebody else was faster."""
    new = NewTopic(topic, layout.partitions, layout.replication, topic_configs=layout.configs)
    answer = await client.create_topics([new])
    _, code, message = answer.topic_errors[0]
    if code == TopicAlreadyExistsError.errno:
        return False
    if code:
        raise OperatorError(f"Kafka did not create {topic}: {message or for_code(code).__name__}.")
    return True


async def _wait_until_known(client: AIOKafkaAdminClient, topic: str) -> None:
    """The controller has the topic before every broker has heard of it."""
    deadline = time.monotonic() + KNOWN_WITHIN.total_seconds()
    while await describe(client, topic) is None:
        if time.monotonic() > deadline:
            raise OperatorError(f"Kafka created {topic}, but its brokers do not know it yet: try again.")
        await asyncio.sleep(POLL_SECONDS)


async def _layout(client: AIOKafkaAdminClient, topic: str) -> Layout:
    found = await describe(client, topic)
    if found is None:
        raise no_such_topic(topic)
    configs = await topic_configs(client, topic)
    return Layout(
        partitions=len(found["partitions"]),
        replication=min(len(partition["replicas"]) for partition in found["partitions"]),
        retention_ms=int(configs["retention.ms"]),
        min_insync_replicas=int(configs["min.insync.replicas"]),
    )
