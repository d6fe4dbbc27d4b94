"""What the gateway reads from its environment."""

import re
from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator
from pydantic.functional_validators import BeforeValidator
from pydantic_settings import NoDecode

from attemptlog.runtime.kafka import BootstrapServers, KafkaSecurity
from attemptlog.runtime.keys import TokenSettings
from attemptlog.runtime.postgres import DatabaseUrl
from attemptlog.runtime.pseudonyms import PseudonymKey
from attemptlog.runtime.tracing import TracingSettings
from attemptlog.schemas import ATTEMPT_EVENTS, MAX_EVENTS_PER_BATCH
from attemptlog.schemas.fields import Seconds
from attemptlog.schemas.topics import TopicName

# As browsers serialize one (RFC 6454, 6.2); what differs by a slash or a letter would never match, without a word.
ORIGIN = re.compile(r"(?!http://.*:80$|https://.*:443$)[a-z][a-z0-9+.-]*://[^A-Z\s/?#,@]+")


def _split(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


class IngestSettings(KafkaSecurity, TokenSettings, TracingSettings):
    """Settings of the gateway, `ATTEMPTLOG_` in front; durations are seconds or ISO 8601."""

    kafka_bootstrap_servers: Annotated[
        BootstrapServers, Field(description="Kafka addresses, host:port, comma-separated.")
    ]
    topic: Annotated[TopicName, Field(description="Topic for the envelopes.")] = ATTEMPT_EVENTS.name
    delivery_deadline: Annotated[
        Seconds, Field(description="Longest wait for Kafka's acknowledgement; then 503.", gt=timedelta(0))
    ] = timedelta(seconds=5)
    max_buffered_bytes: Annotated[
        int, Field(description="Envelopes that may wait for Kafka, in bytes; over it 503 at once.", ge=1024 * 1024)
    ] = 32 * 1024 * 1024

    database_url: Annotated[DatabaseUrl, Field(description="PostgreSQL, as a role in attemptlog_gateway (reads only).")]
    session_lookup_timeout: Annotated[
        Seconds, Field(description="Longest wait for PostgreSQL; then the consumer's check decides.")
    ] = timedelta(milliseconds=250)
    session_cache_size: Annotated[int, Field(description="Sessions kept, about 300 bytes each.", ge=1)] = 50_000
    session_cache_ttl: Annotated[
        Seconds, Field(description="Age at which a session or an exam's questions are read again.")
    ] = timedelta(seconds=60)

    pseudonym_key: PseudonymKey = None

    max_body_bytes: Annotated[int, Field(description="Largest body, after inflating; over it 413.", ge=1024)] = (
        320 * 1024
    )
    body_deadline: Annotated[Seconds, Field(description="Longest time a body may take to arrive; then 408.")] = (
        timedelta(seconds=10)
    )
    max_head_bytes: Annotated[
        int, Field(description="Largest head of a request: target and headers, 32 more for each; over it 431.", ge=1024)
    ] = 32 * 1024
    head_deadline: Annotated[
        Seconds, Field(description="Longest time a head may take to arrive, or an answer to be taken.", gt=timedelta(0))
    ] = timedelta(seconds=10)
    keep_alive: Annotated[
        Seconds,
        Field(description="Time a connection without a request is kept; longer than a proxy does.", gt=timedelta(0)),
    ] = timedelta(seconds=75)
    max_connections: Annotated[
        int, Field(description="Connections at a time, of one process; over it those that only wait are closed.", ge=1)
    ] = 4096
    max_requests_in_flight: Annotated[
        int, Field(description="Batches worked on at a time, about 1 ms of CPU each; over it 503.", ge=1)
    ] = 256
    max_bytes_in_flight: Annotated[int, Field(description="Bodies in memory at a time, in bytes; over it 503.")] = (
        32 * 1024 * 1024
    )
    max_requests_per_user: Annotated[
        int, Field(description="Requests one user may have in flight, slow bodies included; over it 429.", ge=1)
    ] = 8
    rate_limit_events_per_second: Annotated[
        float, Field(description="Sustained events per second of one user, per process; over it 429.", gt=0)
    ] = 50
    rate_limit_burst: Annotated[
        int, Field(description="Events one user may send at once: a queue kept offline.", ge=MAX_EVENTS_PER_BATCH)
    ] = 2000
    cors_origins: Annotated[
        list[str],
        NoDecode,
        BeforeValidator(_split),
        Field(description="Origins whose pages may send, comma-separated; none by default."),
    ] = []  # noqa: RUF012 - pydantic copies it

    log_level: Annotated[
        Literal["DEBUG", "INFO", "WARNING", "ERROR"], Field(description="Least level that is logged.")
    ] = "INFO"

    @model_validator(mode="after")
    def _origins_are_named(self) -> Self:
        if "*" in self.cors_origins:
            raise ValueError("ATTEMPTLOG_CORS_ORIGINS must name origins: with * any page could use a visitor's cookie")
        for origin in self.cors_origins:
            if not ORIGIN.fullmatch(origin):
                raise ValueError(
                    f"ATTEMPTLOG_CORS_ORIGINS: {origin!r} is no origin as browsers write it: give scheme, host in "
                    "lower case and, unless it is the usual one, port, without a path, as http://localhost:5173"
                )
        return self

    @model_validator(mode="after")
    def _room_for_a_body(self) -> Self:
        if self.max_bytes_in_flight < self.max_body_bytes:
            raise ValueError("ATTEMPTLOG_MAX_BYTES_IN_FLIGHT must not be less than ATTEMPTLOG_MAX_BODY_BYTES")
        return self
