"""How Kafka lets us in: the settings that gateway, consumer and command share, and what to say when it does not."""

import re
import ssl
from ipaddress import IPv6Address
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_origin

from aiokafka.conn import collect_hosts, create_conn
from aiokafka.errors import (
    AuthenticationFailedError,
    KafkaError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)
from aiokafka.protocol.metadata import MetadataRequest
from pydantic import AfterValidator, Field, FilePath, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

ANSWER_TIMEOUT_MS = 5_000
MAX_PORT = 65_535
ADDRESS = re.compile(r"(?:\[(?P<ipv6>[^\[\]]*)\]|(?P<host>[A-Za-z0-9._-]+)):(?P<port>[0-9]{1,5})", re.ASCII)


def addresses(text: str) -> str:
    """Return Kafka's addresses without spaces around them; raise ValueError for what is not host:port,host:port."""
    found = [address.strip() for address in text.split(",")]
    for place, address in enumerate(found, 1):
        if not _is_address(address):  # which is not shown: it may be a URL with a password
            raise ValueError(
                f"address {place} of {len(found)} is not host:port with a port from 1 to {MAX_PORT}; "
                "write kafka-1:9092,kafka-2:9092, and [::1]:9092 for IPv6"
            )
    return ",".join(found)


def _is_address(text: str) -> bool:
    found = ADDRESS.fullmatch(text)
    if found is None or not 1 <= int(found["port"]) <= MAX_PORT:
        return False
    return found["host"] is not None or _is_ipv6(found["ipv6"])


def _is_ipv6(text: str) -> bool:
    try:
        return bool(IPv6Address(text))
    except ValueError:
        return False


BootstrapServers = Annotated[str, AfterValidator(addresses)]


class KafkaSecurity(BaseSettings):
    """TLS and login for Kafka, `ATTEMPTLOG_` in front.

    Settings that the protocol would leave unused are refused: who sets a password wants it to be asked for.
    """

    model_config = SettingsConfigDict(env_prefix="ATTEMPTLOG_", extra="ignore", hide_input_in_errors=True)

    kafka_security_protocol: Annotated[
        Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"],
        Field(description="`SSL` is TLS, `SASL` a login with name and password; `SASL_SSL` both."),
    ] = "PLAINTEXT"
    kafka_ca_file: Annotated[
        FilePath | None,
        Field(description="PEM file of the authorities that may sign a broker's certificate; unset: the system's."),
    ] = None
    kafka_client_cert_file: Annotated[
        FilePath | None, Field(description="PEM file of our certificate, where brokers ask for one.")
    ] = None
    kafka_client_key_file: Annotated[
        FilePath | None, Field(description="PEM file of its key, not encrypted; unset: in the certificate's file.")
    ] = None
    kafka_sasl_mechanism: Annotated[
        Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"],
        Field(description="How to log in; `PLAIN` shows the password to the broker, so use it with TLS only."),
    ] = "SCRAM-SHA-512"
    kafka_username: Annotated[str | None, Field(description="Name to log in with.")] = None
    kafka_password: Annotated[SecretStr | None, Field(description="Password to log in with.")] = None

    @property
    def _uses_tls(self) -> bool:
        return self.kafka_security_protocol.endswith("SSL")

    @property
    def _uses_login(self) -> bool:
        return self.kafka_security_protocol.startswith("SASL")

    def client_arguments(self) -> dict[str, Any]:
        """Return the arguments of aiokafka's clients; raise OSError when a file cannot be used."""
        arguments: dict[str, Any] = {"security_protocol": self.kafka_security_protocol}
        if self._uses_tls:
            arguments["ssl_context"] = self._ssl_context()
        if self.kafka_password is not None:
            arguments |= {
                "sasl_mechanism": self.kafka_sasl_mechanism,
                "sasl_plain_username": self.kafka_username,
                "sasl_plain_password": self.kafka_password.get_secret_value(),
            }
        return arguments

    def _ssl_context(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self.kafka_ca_file)
        if self.kafka_client_cert_file is not None:
            # without a password to try, OpenSSL would ask on the terminal for that of an encrypted key
            context.load_cert_chain(self.kafka_client_cert_file, self.kafka_client_key_file, password="")
        return context

    @model_validator(mode="before")
    @classmethod
    def _nothing_is_empty(cls, given: dict[str, Any]) -> dict[str, Any]:
        """Refuse an empty text, which is a variable that somebody forgot to fill in; a list may be empty."""
        for name, value in given.items():
            if isinstance(value, str) and not value.strip() and name in cls.model_fields and not _is_list(cls, name):
                raise ValueError(f"set ATTEMPTLOG_{name.upper()}, or leave it out: it is empty")
        return given

    @model_validator(mode="after")
    def _nothing_is_missing_or_unused(self) -> Self:
        protocol = f"ATTEMPTLOG_KAFKA_SECURITY_PROTOCOL is {self.kafka_security_protocol}"
        if self._uses_login and not (self.kafka_username and self.kafka_password):
            raise ValueError(f"{protocol}: set ATTEMPTLOG_KAFKA_USERNAME and ATTEMPTLOG_KAFKA_PASSWORD")
        if not self._uses_login and (self.kafka_username or self.kafka_password):
            raise ValueError(f"{protocol}, which has no login: set SASL_SSL, or no ATTEMPTLOG_KAFKA_USERNAME")
        if not self._uses_tls and (self.kafka_ca_file or self.kafka_client_cert_file):
            raise ValueError(f"{protocol}, which has no TLS: set SSL or SASL_SSL, or no certificates")
        return self

    @model_validator(mode="after")
    def _files_can_be_used(self) -> Self:
        if self.kafka_client_key_file and not self.kafka_client_cert_file:
            raise ValueError("ATTEMPTLOG_KAFKA_CLIENT_KEY_FILE is set: set ATTEMPTLOG_KAFKA_CLIENT_CERT_FILE too")
        try:
            self.client_arguments()
        except OSError as error:
            names = _shown(self.kafka_ca_file, self.kafka_client_cert_file, self.kafka_client_key_file)
            raise ValueError(f"TLS cannot be set up with {names}: {error.strerror or error}") from error
        return self


def _is_list(settings: type[BaseSettings], name: str) -> bool:
    return get_origin(settings.model_fields[name].annotation) is list


def _shown(*files: Path | None) -> str:
    return ", ".join(str(file) for file in files if file is not None)


async def why_refused(bootstrap_servers: str, security: KafkaSecurity) -> str:
    """Try the addresses one by one and say why Kafka cannot be used, in a sentence that tells an operator what to do.

    aiokafka's own clients keep the reason to themselves. Takes up to ANSWER_TIMEOUT_MS per address.
    """
    reason = "Kafka did not answer, and does now"
    for host, port, _ in collect_hosts(bootstrap_servers, randomize=False):
        try:
            await _ask(host, port, security)
        except (OSError, KafkaError) as error:
            reason = _sentence(f"{host}:{port}", error, security)
    return reason


async def _ask(host: str, port: int, security: KafkaSecurity) -> None:
    connection = await create_conn(host, port, request_timeout_ms=ANSWER_TIMEOUT_MS, **security.client_arguments())
    try:
        await connection.send(MetadataRequest([]))  # a broker that wants a login says so only now
    finally:
        connection.close()


def _sentence(address: str, error: OSError | KafkaError, security: KafkaSecurity) -> str:
    match error:
        case SaslAuthenticationFailed() | AuthenticationFailedError():
            return (
                f"Kafka at {address} refuses the login of {security.kafka_username}: "
                "check ATTEMPTLOG_KAFKA_USERNAME, ATTEMPTLOG_KAFKA_PASSWORD and ATTEMPTLOG_KAFKA_SASL_MECHANISM"
            )
        case UnsupportedSaslMechanismError():
            return (
                f"Kafka at {address} does not offer {security.kafka_sasl_mechanism}: "
                "set another ATTEMPTLOG_KAFKA_SASL_MECHANISM"
            )
        case ssl.SSLCertVerificationError():
            return (
                f"the certificate of Kafka at {address} is not trusted ({error.verify_message}): "
                "check ATTEMPTLOG_KAFKA_CA_FILE"
            )
        case KafkaError() | ssl.SSLError() | ConnectionResetError() | ConnectionAbortedError():
            return (
                f"Kafka at {address} ends {security.kafka_security_protocol} connections: "
                "check ATTEMPTLOG_KAFKA_SECURITY_PROTOCOL, and ATTEMPTLOG_KAFKA_CLIENT_CERT_FILE if it asks for one"
            )
        case _:
            return f"Kafka cannot be reached at {address}: start it, or set ATTEMPTLOG_KAFKA_BOOTSTRAP_SERVERS"
