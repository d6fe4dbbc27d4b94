"""What the command, and whatever else an operator runs, reads; the services read their own settings."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from attemptlog.runtime.admin import Cluster
from attemptlog.runtime.errors import OperatorError
from attemptlog.runtime.kafka import BootstrapServers, KafkaSecurity
from attemptlog.runtime.pseudonyms import PseudonymKey, Pseudonyms
from attemptlog.schemas import ATTEMPT_EVENTS
from attemptlog.schemas.topics import TopicName

STACK_DIRECTORY = Path(".attemptlog")
DEFAULT_GATEWAY = "http://127.0.0.1:8000"
ENVIRONMENT_FILE = STACK_DIRECTORY / "env"  # `attemptlog up` leaves its addresses here for the other commands

NO_PSEUDONYM_KEY = (
    "ATTEMPTLOG_PSEUDONYM_KEY is not set, by which whoever was purged is known again: make a key once with "
    "`openssl rand -hex 32`, keep it, and give it to gateway, consumer and exporter, too."
)


class OperatorSettings(KafkaSecurity):
    """Settings of the command, `ATTEMPTLOG_` in front; while `attemptlog up` runs here, it supplies the defaults."""

    model_config = SettingsConfigDict(env_file=ENVIRONMENT_FILE)

    kafka_bootstrap_servers: Annotated[
        BootstrapServers | None, Field(description="Kafka addresses, host:port, comma-separated.")
    ] = None
    topic: Annotated[TopicName, Field(description="Topic of the envelopes.")] = ATTEMPT_EVENTS.name
    database_url: Annotated[SecretStr | None, Field(description="PostgreSQL, as the role that owns the tables.")] = None
    pseudonym_key: PseudonymKey = None
    backup_retention: Annotated[
        int | None,
        Field(description="Days for which backups of the database are kept, for `attemptlog purge status`.", ge=0),
    ] = None
    gateway_url: Annotated[str | None, Field(description="Address of the gateway.")] = None
    consumer_url: Annotated[str | None, Field(description="Address of the consumer's health and metrics.")] = None
    jwt_secret: Annotated[SecretStr | None, Field(description="HS256 secret, to mint a simulated class's tokens.")] = (
        None
    )
    jwt_audience: Annotated[str | None, Field(description="`aud` of those tokens.")] = None
    jwt_issuer: Annotated[str | None, Field(description="`iss` of those tokens.")] = None

    @property
    def kafka(self) -> Cluster:
        """The Kafka; raises OperatorError when its addresses are not set."""
        return Cluster(_required(self.kafka_bootstrap_servers, "ATTEMPTLOG_KAFKA_BOOTSTRAP_SERVERS"), self)

    @property
    def database(self) -> str:
        """PostgreSQL's URL; raises OperatorError when it is not set."""
        return _required(reveal(self.database_url), "ATTEMPTLOG_DATABASE_URL")

    @property
    def pseudonyms(self) -> Pseudonyms:
        """What stands for those who were purged; raises OperatorError when the key is not set."""
        if self.pseudonym_key is None:
            raise OperatorError(NO_PSEUDONYM_KEY)
        return Pseudonyms(self.pseudonym_key.get_secret_value())

    @property
    def signing_secret(self) -> str:
        """The HS256 secret; raises OperatorError when it is not set."""
        return _required(reveal(self.jwt_secret), "ATTEMPTLOG_JWT_SECRET")

    @property
    def kafka_security(self) -> dict[str, str]:
        """What is set of TLS and login for Kafka, as variables without their prefix."""
        names = sorted(KafkaSecurity.model_fields.keys() & self.model_fields_set)
        values = {name.upper(): getattr(self, name) for name in names}
        return {name: it.get_secret_value() if isinstance(it, SecretStr) else str(it) for name, it in values.items()}


def reveal(secret: SecretStr | None) -> str | None:
    """Return the text of a secret setting."""
    return secret.get_secret_value() if secret else None


def _required(value: str | None, name: str) -> str:
    if not value:
        raise OperatorError(f"{name} is not set: set it, or run `attemptlog up` in this folder and try again.")
    return value
