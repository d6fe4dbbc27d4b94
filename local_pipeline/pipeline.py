"""The whole pipeline on this machine, and the example platform beside it, started and stopped together."""

import asyncio
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from attemptlog import migrations
from attemptlog.local_pipeline.database import login_as, own_database
from attemptlog.local_pipeline.folder import alone_in, environment_file, kept_secret
from attemptlog.local_pipeline.interrupts import interrupted_once
from attemptlog.local_pipeline.platform import exam_platform, origin
from attemptlog.local_pipeline.ports import Ports
from attemptlog.local_pipeline.progress import Progress
from attemptlog.local_pipeline.services import Service, services_in
from attemptlog.local_stack import KafkaBroker, LocalStack, PostgresServer
from attemptlog.local_stack.ports import HOST
from attemptlog.local_stack.processes import end
from attemptlog.runtime.admin import Cluster
from attemptlog.runtime.errors import OperatorError
from attemptlog.runtime.settings import ENVIRONMENT_FILE, OperatorSettings, reveal
from attemptlog.runtime.topics import ensure_topic
from attemptlog.simulation.run import Addresses
from attemptlog.simulation.tokens import TokenMint


@dataclass(frozen=True, slots=True)
class Access:
    """What a service gets to the database with: a login of its own in a PostgreSQL of ours; and the pseudonyms' key."""

    pseudonym_key: str
    has_own_login: bool


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Everything running; `servers` are those of ours, not the ones that the environment names."""

    addresses: Addresses
    mint: TokenMint
    gateway: Service
    consumer: Service
    platform: Service | None
    console: Service | None
    servers: list[KafkaBroker | PostgresServer]

    @property
    def services(self) -> list[Service]:
        """The gateway, the consumer and, where they run, the platform and the console."""
        return [self.gateway, self.consumer, *(each for each in (self.platform, self.console) if each)]

    def check(self) -> None:
        """Raise OperatorError when a part of it has stopped."""
        for service in self.services:
            service.check()
        for server in self.servers:
            if not server.is_running:
                raise OperatorError(f"{server.name} stopped: see {server.log}.")


@contextmanager
def running_pipeline(directory: Path, ports: Ports, given: OperatorSettings, progress: Progress) -> Iterator[Pipeline]:
    """Start everything and yield it; stop gateway, consumer, Kafka and PostgreSQL, in this order, whatever happens.

    Servers that `given` names are used instead of ours. Raises OperatorError and LocalStackError.
    """
    with ExitStack() as stack:
        stack.enter_context(interrupted_once())
        stack.enter_context(alone_in(directory))
        end(list(services_in(directory)))  # what a killed `up` left, where a child does not die with its parent
        ports.check()
        servers, bootstrap_servers, database_url = stack.enter_context(_servers(directory, ports, given, progress))
        kafka = Cluster(bootstrap_servers, given)
        _prepare(kafka, database_url, given.topic, progress)
        addresses = Addresses(f"http://{HOST}:{ports.gateway}", kafka, database_url, given.topic)
        mint = TokenMint(
            reveal(given.jwt_secret) or kept_secret(directory / "jwt-secret"), given.jwt_audience, given.jwt_issuer
        )
        pseudonym_key = reveal(given.pseudonym_key) or kept_secret(directory / "pseudonym-key")
        access = Access(pseudonym_key, given.database_url is None)
        consumer = stack.enter_context(_consumer(addresses, access, directory, ports))
        gateway = stack.enter_context(_gateway(addresses, mint, access, directory, ports))
        console = None
        if ports.console is not None:
            console = stack.enter_context(_console(addresses, mint, access, directory, ports))
        platform = None
        if ports.platform is not None:
            platform = exam_platform(
                addresses, mint, directory, ports.platform, given, console_url=console.url if console else None
            )
            stack.enter_context(platform)
        settings = _settings(addresses, mint, consumer.url) | given.kafka_security
        settings |= {"PSEUDONYM_KEY": pseudonym_key}
        stack.enter_context(environment_file(ENVIRONMENT_FILE, settings))
        pipeline = Pipeline(addresses, mint, gateway, consumer, platform, console, servers)
        with progress.working_on("Starting the gateway and the consumer"):
            for service in pipeline.services:
                service.wait_until_ready()
        yield pipeline


@contextmanager
def _servers(
    directory: Path, ports: Ports, given: OperatorSettings, progress: Progress
) -> Iterator[tuple[list[KafkaBroker | PostgresServer], str, str]]:
    """Start the servers that the environment does not name; yield them, Kafka's addresses and PostgreSQL's URL."""
    servers: list[KafkaBroker | PostgresServer] = []
    bootstrap_servers, database_url = given.kafka_bootstrap_servers, reveal(given.database_url)
    local = LocalStack(
        directory,
        kafka_port=None if bootstrap_servers else ports.kafka_port(progress),
        postgres_port=None if database_url else ports.postgres_port(progress),
    )
    servers += [] if bootstrap_servers else [local.kafka]
    servers += [] if database_url else [local.postgres]
    with _started(servers, progress) if servers else nullcontext():
        yield (
            servers,
            bootstrap_servers or local.kafka.bootstrap_servers,
            database_url or own_database(local.postgres),
        )


@contextmanager
def _started(servers: Sequence[KafkaBroker | PostgresServer], progress: Progress) -> Iterator[None]:
    """Start the servers together; stop them one after the other in their order."""
    with ExitStack() as stack:
        for server in reversed(servers):
            stack.callback(server.stop)
        with progress.working_on("Starting Kafka and PostgreSQL (the first time, Kafka is fetched)"):
            for server in servers:
                server.launch()
            for server in servers:
                server.wait_until_ready()
        yield


def _prepare(kafka: Cluster, database_url: str, topic: str, progress: Progress) -> None:
    with progress.working_on("Migrating, and creating the topic"):
        migrations.upgrade(database_url)
        state = asyncio.run(ensure_topic(kafka, topic))
    for difference in state.differences:
        progress.warn(f"{topic}: {difference} (`attemptlog topics` says how to mend it)")


def _consumer(addresses: Addresses, access: Access, directory: Path, ports: Ports) -> Service:
    environment = _service_environment(addresses, "attemptlog_consumer", access) | {
        "ATTEMPTLOG_CONSUMER_HOST": HOST,
        "ATTEMPTLOG_CONSUMER_PORT": str(ports.consumer),
    }
    return Service(
        "consumer",
        ["attemptlog.cli", "consume"],
        environment,
        url=f"http://{HOST}:{ports.consumer}",
        directory=directory,
    )


def _gateway(addresses: Addresses, mint: TokenMint, access: Access, directory: Path, ports: Ports) -> Service:
    environment = _service_environment(addresses, "attemptlog_gateway", access)
    environment |= {"ATTEMPTLOG_JWT_SECRET": mint.secret}
    if ports.platform is not None:
        given = environment.get("ATTEMPTLOG_CORS_ORIGINS", "")
        environment |= {"ATTEMPTLOG_CORS_ORIGINS": f"{given},{origin(ports.platform)}"}
    module = ["attemptlog.cli", "ingest", "--host", HOST, "--port", str(ports.gateway)]
    return Service("gateway", module, environment, url=addresses.gateway_url, directory=directory)


def _console(addresses: Addresses, mint: TokenMint, access: Access, directory: Path, ports: Ports) -> Service:
    url = f"http://{HOST}:{ports.console}"
    environment = _service_environment(addresses, "attemptlog_reader", access) | {
        "ATTEMPTLOG_JWT_SECRET": mint.secret,
        "ATTEMPTLOG_CONSOLE_HOST": HOST,
        "ATTEMPTLOG_CONSOLE_PORT": str(ports.console),
        "ATTEMPTLOG_CONSOLE_GATEWAYS": addresses.gateway_url,
        "ATTEMPTLOG_CONSOLE_REPLAY_DATABASE_URL": addresses.database_url,
    }
    if ports.platform is not None:
        environment |= {"ATTEMPTLOG_CONSOLE_PLATFORM_URL": origin(ports.platform)}
    return Service("console", ["attemptlog.cli", "console"], environment, url=url, directory=directory)


def _service_environment(addresses: Addresses, role: str, access: Access) -> dict[str, str]:
    """With a PostgreSQL of ours the service logs in as a member of its role; with another, as the operator says."""
    url = login_as(addresses.database_url, role) if access.has_own_login else addresses.database_url
    return os.environ | {
        "ATTEMPTLOG_KAFKA_BOOTSTRAP_SERVERS": addresses.kafka.bootstrap_servers,
        "ATTEMPTLOG_DATABASE_URL": url,
        "ATTEMPTLOG_TOPIC": addresses.topic,
        "ATTEMPTLOG_PSEUDONYM_KEY": access.pseudonym_key,
    }


def _settings(addresses: Addresses, mint: TokenMint, consumer_url: str) -> dict[str, str]:
    """What the other commands in this folder read."""
    return {
        "KAFKA_BOOTSTRAP_SERVERS": addresses.kafka.bootstrap_servers,
        "DATABASE_URL": addresses.database_url,
        "TOPIC": addresses.topic,
        "GATEWAY_URL": addresses.gateway_url,
        "CONSUMER_URL": consumer_url,
        "JWT_SECRET": mint.secret,
    }
