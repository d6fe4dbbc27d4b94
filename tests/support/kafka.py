"""Records into a real Kafka, and what becomes of them: steps that tests of the consumer share."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from attemptlog.publisher import KafkaPublisher
from attemptlog.schemas import Envelope
from tests.support.consumer import ConsumerProcess, envelope, ledger
from tests.support.eventually import PATIENCE, eventually
from tests.support.http import Exam


def load(exams: Sequence[Exam], per_session: int, first_seq: int = 1) -> list[Envelope]:
    return [envelope(exam, seq) for seq in range(first_seq, first_seq + per_session) for exam in exams]


async def publish(bootstrap_servers: str, topic: str, envelopes: Sequence[Envelope]) -> None:
    async with KafkaPublisher(bootstrap_servers, topic=topic) as publisher:
        await eventually(lambda: publisher.is_ready)
        for start in range(0, len(envelopes), 500):
            await publisher.publish(envelopes[start : start + 500])


async def end_offsets(bootstrap_servers: str, topic: str) -> dict[int, int]:
    """Return where the partitions that ever held a record end."""
    reader = AIOKafkaConsumer(topic, bootstrap_servers=bootstrap_servers)
    await reader.start()
    try:
        partitions = [TopicPartition(topic, number) for number in reader.partitions_for_topic(topic)]
        return {tp.partition: end for tp, end in (await reader.end_offsets(partitions)).items() if end}
    finally:
        await reader.stop()


@asynccontextmanager
async def administration(bootstrap_servers: str) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()


def column(database_url: str, name: str) -> dict[int, int]:
    """Return one number of the ledger by partition."""
    return {number: row[name] for number, row in ledger(database_url).items()}


async def until_drained(bootstrap_servers: str, topic: str, database_url: str) -> Mapping[int, int]:
    """Wait until the ledger is where Kafka ends, and return that."""
    ends = await end_offsets(bootstrap_servers, topic)
    await eventually(lambda: column(database_url, "next_offset") == ends)
    return ends


async def until(check: Callable[[], object]) -> None:
    await eventually(check)


async def exit_status(process: ConsumerProcess) -> int:
    assert process.process is not None
    return await asyncio.to_thread(process.process.wait, PATIENCE)
