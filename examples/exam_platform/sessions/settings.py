"""What the session service reads from its environment."""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from attemptlog.runtime.kafka import BootstrapServers
from attemptlog.runtime.postgres import DatabaseUrl
from attemptlog.schemas import ATTEMPT_EVENTS
from attemptlog.schemas.topics import TopicName

MIN_SECRET_BYTES = 32  # RFC 7518, 3.2

# Both go into the Content-Security-Policy, where spaces, commas and semicolons separate.
ORIGIN = r"^https?://[^\s/?#,;'\"@]+$"
URL = r"^https?://[^\s,;'\"@]+$"


class DatabaseSettings(BaseSettings):
    """What `prepare` needs, `EXAM_PLATFORM_` in front."""

    model_config = SettingsConfigDict(env_prefix="EXAM_PLATFORM_", extra="ignore", hide_input_in_errors=True)

    database_url: Annotated[
        DatabaseUrl, Field(description="PostgreSQL, as a role in exam_platform; for prepare, as the tables' owner.")
    ]


class PlatformSettings(DatabaseSettings):
    """Settings of the service, `EXAM_PLATFORM_` in front; TLS and login for Kafka are the publisher's own settings."""

    kafka_bootstrap_servers: Annotated[
        BootstrapServers, Field(description="Kafka addresses, host:port, comma-separated.")
    ]
    topic: Annotated[TopicName, Field(description="Topic for the events.")] = ATTEMPT_EVENTS.name
    max_queued_events: Annotated[int, Field(description="Events that may wait for Kafka, about 1 KiB each.", ge=1)] = (
        10_000
    )

    jwt_secret: Annotated[SecretStr, Field(description="HS256 secret, the gateway's; 32 bytes or more.")]
    jwt_audience: Annotated[str | None, Field(description="`aud` of the tokens; unset: none.")] = None
    jwt_issuer: Annotated[str | None, Field(description="`iss` of the tokens; unset: none.")] = None

    public_origin: Annotated[str, Field(description="What a browser has in its address bar.", pattern=ORIGIN)] = (
        "http://127.0.0.1:8080"
    )
    telemetry_url: Annotated[str, Field(description="Where pages send their events: the gateway.", pattern=URL)] = (
        "http://127.0.0.1:8000/v1/telemetry/events"
    )
    console_url: Annotated[
        str | None, Field(description="attemptlog's console, to link to; unset: none.", pattern=ORIGIN)
    ] = None
    host: Annotated[str, Field(description="Address to listen on.")] = "127.0.0.1"
    port: Annotated[int, Field(description="Port to listen on.", ge=1, le=65535)] = 8080

    @property
    def is_https(self) -> bool:
        """Whether browsers reach the pages by TLS."""
        return self.public_origin.startswith("https:")

    @property
    def telemetry_origin(self) -> str:
        """Return scheme, host and port of the gateway."""
        url = urlsplit(self.telemetry_url)
        return f"{url.scheme}://{url.netloc}"

    @field_validator("jwt_secret")
    @classmethod
    def _is_long_enough(cls, secret: SecretStr) -> SecretStr:
        if len(secret.get_secret_value().encode()) < MIN_SECRET_BYTES:
            raise ValueError(f"must be {MIN_SECRET_BYTES} bytes or more")
        return secret
