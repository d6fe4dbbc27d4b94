"""What the consumer reads from its environment."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field

from attemptlog.runtime.kafka import BootstrapServers, KafkaSecurity
from attemptlog.runtime.postgres import DatabaseUrl
from attemptlog.runtime.pseudonyms import PseudonymKey
from attemptlog.runtime.tracing import TracingSettings
from attemptlog.schemas import ATTEMPT_EVENTS
from attemptlog.schemas.fields import Seconds
from attemptlog.schemas.topics import TopicName

MAX_NAME = 249  # characters; Kafka's bound for an instance id, and far below what a group's name may have


class ConsumerSettings(KafkaSecurity, TracingSettings):
    """Settings of the consumer, `ATTEMPTLOG_` in front; durations are seconds or ISO 8601."""

    kafka_bootstrap_servers: Annotated[
        BootstrapServers, Field(description="Kafka addresses, host:port, comma-separated.")
    ]
    topic: Annotated[TopicName, Field(description="Topic the envelopes are read from.")] = ATTEMPT_EVENTS.name
    consumer_group: Annotated[
        str,
        Field(
            description="Kafka consumer group; the consumers that name the same one share the partitions.",
            max_length=MAX_NAME,
        ),
    ] = "attemptlog-consumer"
    consumer_instance_id: Annotated[
        str | None,
        Field(
            description="Name of this consumer in its group, the same after a restart (a StatefulSet's pod name): its "
            "partitions wait for it for the session timeout instead of moving. Unset: they move when it stops.",
            max_length=MAX_NAME,
        ),
    ] = None
    consumer_session_timeout: Annotated[
        Seconds,
        Field(
            description="Silence after which Kafka gives a consumer's partitions to another.",
            ge=timedelta(seconds=6),  # Kafka's own bounds, if its brokers have no others
            le=timedelta(minutes=30),
        ),
    ] = timedelta(seconds=10)
    max_batch_records: Annotated[
        int,
        Field(
            description="Most records taken at a time; each connection stores a share, and below 2,000 in one the rate "
            "falls.",
            ge=1,
            le=50_000,
        ),
    ] = 10_000

    database_url: Annotated[
        DatabaseUrl, Field(description="PostgreSQL, as a role in attemptlog_consumer (inserts and reads).")
    ]
    database_connections: Annotated[
        int,
        Field(description="Connections that store at the same time, each of them other partitions.", ge=1, le=16),
    ] = 2
    database_statement_timeout: Annotated[
        Seconds,
        Field(
            description="Longest time for one statement, waiting for locks included; then it is tried again.",
            ge=timedelta(seconds=1),
        ),
    ] = timedelta(seconds=60)
    pseudonym_key: PseudonymKey = None
    unknown_session_retry_for: Annotated[
        Seconds,
        Field(
            description="Age up to which a dead letter of an unknown session is stored by itself once the session is "
            "there; 0: never.",
            ge=timedelta(0),
        ),
    ] = timedelta(hours=1)
    unknown_session_retry_interval: Annotated[
        Seconds,
        Field(
            description="Pause before looking for such sessions; doubles up to a minute while there are none.",
            ge=timedelta(milliseconds=100),
        ),
    ] = timedelta(seconds=5)

    consumer_host: Annotated[str, Field(description="Address to serve health and metrics on.")] = "0.0.0.0"  # noqa: S104 - a container's probes and scrapes come from outside of it
    consumer_port: Annotated[int, Field(description="Port to serve health and metrics on.", ge=0, le=65535)] = 8001
    log_level: Annotated[
        Literal["DEBUG", "INFO", "WARNING", "ERROR"], Field(description="Least level that is logged.")
    ] = "INFO"
