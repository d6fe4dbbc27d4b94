"""What the console reads from its environment."""

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_settings import NoDecode

from attemptlog.runtime.admin import Cluster
from attemptlog.runtime.kafka import BootstrapServers, KafkaSecurity
from attemptlog.runtime.keys import TokenSettings
from attemptlog.runtime.postgres import DatabaseUrl
from attemptlog.runtime.pseudonyms import PseudonymKey
from attemptlog.schemas import ATTEMPT_EVENTS
from attemptlog.schemas.topics import TopicName

MAX_GATEWAYS = 32  # each is asked once a second while somebody looks


def _web_address(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("must be a web address, such as https://exams.example/")
    return url


def _split(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


class ConsoleSettings(KafkaSecurity, TokenSettings):
    """Settings of the console, `ATTEMPTLOG_` in front; who may see what is in the tokens."""

    database_url: Annotated[
        DatabaseUrl, Field(description="PostgreSQL, as a role in attemptlog_reader (reads what its views show).")
    ]
    console_role_claim: Annotated[
        str, Field(description="Claim with the role: candidate, examiner, operator, auditor.", min_length=1)
    ] = "attemptlog_role"
    console_exams_claim: Annotated[
        str, Field(description="Claim with the ids of an examiner's exams, a list.", min_length=1)
    ] = "attemptlog_exams"
    console_platform_url: Annotated[
        Annotated[str, AfterValidator(_web_address)] | None,
        Field(description="Where an exam is sat, for the link there."),
    ] = None
    console_database_connections: Annotated[
        int, Field(description="Connections at a time; whoever waits longer than 5 s for one is told 503.", ge=1)
    ] = 4
    console_gateways: Annotated[
        list[Annotated[str, AfterValidator(_web_address)]],
        NoDecode,
        BeforeValidator(_split),
        Field(
            description="Gateways whose /metrics say what they rejected, each process by its own address; "
            "comma-separated.",
            max_length=MAX_GATEWAYS,
        ),
    ] = []  # noqa: RUF012 - pydantic copies it
    console_replay_database_url: Annotated[
        DatabaseUrl | None,
        Field(
            description="PostgreSQL, as a role in attemptlog_consumer, by which operators replay dead letters, and "
            "audits are run; unset: the command does both."
        ),
    ] = None
    kafka_bootstrap_servers: Annotated[
        BootstrapServers | None, Field(description="Kafka addresses, host:port, comma-separated; unset: no lag.")
    ] = None
    topic: Annotated[TopicName, Field(description="Topic of the envelopes.")] = ATTEMPT_EVENTS.name
    consumer_group: Annotated[str, Field(description="Kafka consumer group that stores them.")] = "attemptlog-consumer"
    pseudonym_key: PseudonymKey = None
    console_host: Annotated[str, Field(description="Address to listen on.")] = "127.0.0.1"
    console_port: Annotated[int, Field(description="Port to listen on.", ge=0, le=65535)] = 8003
    log_level: Annotated[
        Literal["DEBUG", "INFO", "WARNING", "ERROR"], Field(description="Least level that is logged.")
    ] = "INFO"

    @property
    def kafka(self) -> Cluster | None:
        """The Kafka; None where none is set."""
        return Cluster(self.kafka_bootstrap_servers, self) if self.kafka_bootstrap_servers else None
