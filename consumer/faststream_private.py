"""What FastStream keeps to itself and we cannot do without: touched here and nowhere else.

tests/unit/test_private_parts_of_consumer.py fails on a FastStream that has it no longer.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from aiokafka import AIOKafkaConsumer
from faststream.kafka import KafkaBroker

from attemptlog.runtime.aiokafka_private import client_of, look_only


class LookingBroker(KafkaBroker):
    """A broker whose consumers create no topic; it has no argument for that."""

    async def _connect(self) -> Callable[..., AIOKafkaConsumer]:
        build = await super()._connect()
        self.config.broker_config.builder = partial(_looking, build)
        return self.config.broker_config.builder


def _looking(build: Callable[..., AIOKafkaConsumer], **arguments: Any) -> AIOKafkaConsumer:
    consumer = build(**arguments)
    look_only(client_of(consumer))
    return consumer
