"""What the consumer reads from its environment."""

from datetime import timedelta
from typing import Annotated

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict
from pydantic import AfterValidator, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from schemas import ATTEMPT_EVENTS
from schemas.fields import Seconds


def _connection_string(url: SecretStr) -> SecretStr:
    try:
        conninfo_to_dict(url.get_secret_value())
    except ProgrammingError:
        raise ValueError("is not a PostgreSQL URL (postgresql://user:password@host/database)") from None
    return url


class ConsumerSettings(BaseSettings):
    """Settings of the consumer, `ATTEMPTLOG_` in front; durations are seconds or ISO 8601."""

    model_config = SettingsConfigDict(env_prefix="ATTEMPTLOG_", extra="ignore", hide_input_in_errors=True)

    kafka_bootstrap_servers: Annotated[str, Field(description="Kafka addresses, host:port, comma-separated.")]
    topic: Annotated[str, Field(description="Topic the envelopes are read from.")] = ATTEMPT_EVENTS.name
    consumer_group: Annotated[
        str, Field(description="Kafka consumer group; the consumers that name the same one share the partitions.")
    ] = "attemptlog-consumer"
    consumer_instance_id: Annotated[
        str | None,
        Field(
            description="Name of this consumer in its group, the same after a restart (a StatefulSet's pod name): its "
            "partitions wait for it for the session timeout instead of moving. Unset: they move when it stops."
        ),
    ] = None
    consumer_session_timeout: Annotated[
        Seconds,
        Field(
            description="Silence after which Kafka gives a consumer's partitions to another.", ge=timedelta(seconds=6)
        ),
    ] = timedelta(seconds=10)
    max_batch_records: Annotated[
        int, Field(description="Most records in one transaction; below 2,000 the rate falls.", ge=1, le=50_000)
    ] = 5_000

    database_url: Annotated[
        SecretStr,
        AfterValidator(_connection_string),
        Field(description="PostgreSQL, as a role in attemptlog_consumer (inserts and reads)."),
    ]
    database_statement_timeout: Annotated[
        Seconds,
        Field(
            description="Longest time for one statement, waiting for locks included; then it is tried again.",
            ge=timedelta(seconds=1),
        ),
    ] = timedelta(seconds=60)

    consumer_host: Annotated[str, Field(description="Address to serve health and metrics on.")] = "0.0.0.0"  # noqa: S104 - a container's probes and scrapes come from outside of it
    consumer_port: Annotated[int, Field(description="Port to serve health and metrics on.", ge=0, le=65535)] = 8001
