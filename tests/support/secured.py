"""A Kafka and a PostgreSQL that let nobody in without TLS and a login, and our services on them as processes."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit, urlunsplit

import httpx
import psycopg

from attemptlog.local_stack import KafkaBroker, PostgresServer
from attemptlog.local_stack.ports import HOST, free_port
from attemptlog.migrations import upgrade
from tests.support.certificates import Authority
from tests.support.eventually import PATIENCE
from tests.support.http import JWT_SECRET, end
from tests.support.services import with_database
from tests.support.tls_front import TlsFront

USER = "services"
PASSWORD = "a-password-for-kafka"

# The broker's own listener stays as it is, for the broker itself; ours are the two others.
PROPERTIES = """
listeners=BROKER://{{host}}:{{port}},CONTROLLER://{{host}}:{{controller_port}},LOGIN://{{host}}:{login},MUTUAL://{{host}}:{mutual}
advertised.listeners=BROKER://{{host}}:{{port}},LOGIN://{{host}}:{login},MUTUAL://{{host}}:{mutual}
listener.security.protocol.map=BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT,LOGIN:SASL_SSL,MUTUAL:SSL
ssl.keystore.type=PEM
ssl.keystore.location=broker.pem
ssl.truststore.type=PEM
ssl.truststore.location=authority.pem
listener.name.mutual.ssl.client.auth=required
listener.name.login.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256
listener.name.login.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.login.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required \\
  user_{user}="{password}";
"""


@dataclass
class SecuredStack:
    """Both servers; the constructor writes their certificates and starts nothing.

    The PostgreSQL of the pip package is built without TLS, so a TlsFront stands before it.
    """

    directory: Path
    login_port: int = field(default_factory=free_port)
    mutual_port: int = field(default_factory=free_port)

    def __post_init__(self) -> None:
        self.directory.mkdir()
        authority, stranger = Authority("the authority"), Authority("a stranger")
        self.ca_file = authority.write_certificate(self.directory / "authority.pem")
        self.other_ca_file = stranger.write_certificate(self.directory / "stranger.pem")
        self.client_file = authority.write_key_and_certificate(self.directory / "client.pem", "client")
        self.kafka = self._kafka(authority)
        self.postgres = PostgresServer(self.directory / "postgres", None, durable=False)
        self._front_file = authority.write_key_and_certificate(self.directory / "postgres.pem", "postgres")

    def _kafka(self, authority: Authority) -> KafkaBroker:
        directory = self.directory / "kafka"
        directory.mkdir()
        authority.write_certificate(directory / "authority.pem")
        authority.write_key_and_certificate(directory / "broker.pem", "broker")
        properties = PROPERTIES.format(login=self.login_port, mutual=self.mutual_port, user=USER, password=PASSWORD)
        scram = ["--add-scram", f"SCRAM-SHA-256=[name={USER},password={PASSWORD}]"]
        return KafkaBroker(directory, None, properties=properties, format_arguments=scram)

    @property
    def login_servers(self) -> str:
        """Where SASL_SSL is demanded."""
        return f"{HOST}:{self.login_port}"

    @property
    def mutual_servers(self) -> str:
        """Where a client's certificate is demanded."""
        return f"{HOST}:{self.mutual_port}"

    def kafka_settings(self, mechanism: str = "SCRAM-SHA-256") -> dict[str, str]:
        """Return the settings that are let in at login_servers, as variables without their prefix."""
        return {
            "kafka_bootstrap_servers": self.login_servers,
            "kafka_security_protocol": "SASL_SSL",
            "kafka_ca_file": str(self.ca_file),
            "kafka_sasl_mechanism": mechanism,
            "kafka_username": USER,
            "kafka_password": PASSWORD,
        }

    def create_database(self, name: str) -> str:
        """Create and migrate a database; return the owner's URL, which demands TLS and a trusted certificate."""
        with psycopg.connect(self.postgres.url, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        behind = urlsplit(with_database(self.postgres.url, name))
        netloc = f"{behind.netloc.rpartition(':')[0]}:{self.front.port}"
        url = urlunsplit(behind._replace(netloc=netloc, query=f"sslmode=verify-full&sslrootcert={self.ca_file}"))
        upgrade(url)
        return url

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.callback(self.kafka.abandon)
            stack.callback(self.postgres.abandon)
            self.kafka.launch()
            self.postgres.start()
            self.front = stack.enter_context(TlsFront(self._front_file, self.postgres.port))
            self.kafka.wait_until_ready()
            self._running = stack.pop_all()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._running.close()


def login(owners_url: str, role: str, password: str) -> str:
    """Make a login that has the rights of a group role and no others; return its URL."""
    name = f"{role}_{os.urandom(4).hex()}"
    with psycopg.connect(owners_url, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {name} LOGIN PASSWORD '{password}' IN ROLE {role}".encode())
    url = urlsplit(owners_url)
    return urlunsplit(url._replace(netloc=f"{name}:{password}@{url.netloc.rpartition('@')[2]}"))


@dataclass
class Service:
    """`attemptlog ingest` or `attemptlog consume`, and everything it wrote."""

    process: "subprocess.Popen[bytes]"
    url: str
    log: Path

    @property
    def output(self) -> str:
        return self.log.read_text()

    def answers(self, path: str = "/healthz") -> bool:
        """Say whether it answers with 200; raise AssertionError when it has ended."""
        assert self.process.poll() is None, self.output
        return httpx.get(f"{self.url}{path}", timeout=PATIENCE).status_code == httpx.codes.OK

    def is_ready(self) -> bool:
        return self.answers("/readyz")


@contextmanager
def service(command: str, log: Path, settings: Mapping[str, str], *options: str) -> Iterator[Service]:
    """Run a service with nothing but these settings, given as variables without their prefix."""
    port = free_port()
    arguments = {
        "ingest": ["ingest", "--port", str(port), *options],
        "consume": ["consume"],
    }[command]
    addresses = {"consumer_host": HOST, "consumer_port": str(port), "jwt_secret": JWT_SECRET}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "attemptlog.cli", *arguments],
            env=environment(addresses | dict(settings)),
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield Service(process, f"http://{HOST}:{port}", log)
    finally:
        end(process)


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Return our environment with these settings and none of ours."""
    others = {name: value for name, value in os.environ.items() if not name.startswith("ATTEMPTLOG_")}
    return others | {f"ATTEMPTLOG_{name.upper()}": value for name, value in settings.items()}


def run_command(settings: Mapping[str, str], *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run another subcommand to its end."""
    return subprocess.run(
        [sys.executable, "-m", "attemptlog.cli", *arguments],
        env=environment(settings) | {"COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
