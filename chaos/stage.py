"""What is played on: Kafka and PostgreSQL, each behind a proxy, two gateways and two consumers."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

from attemptlog import migrations
from attemptlog.local_stack import LocalStack
from attemptlog.local_stack.ports import HOST, free_port
from attemptlog.runtime.admin import Cluster
from attemptlog.runtime.errors import OperatorError
from attemptlog.runtime.topics import ensure_topic
from attemptlog.schemas import ATTEMPT_EVENTS
from chaos.proxy import Proxy
from chaos.service import Service

DATABASE = "attemptlog"
GATEWAYS = 2
CONSUMERS = 2
SESSION_TIMEOUT = timedelta(seconds=6)  # the shortest that Kafka allows
DELIVERY_DEADLINE = timedelta(seconds=2)
START_DEADLINE = 60.0  # seconds


@dataclass(frozen=True, slots=True)
class Stage:
    """Everything running. What is not a service talks to PostgreSQL directly, at `database_url`, as the superuser."""

    servers: LocalStack
    kafka_proxy: Proxy
    postgres_proxy: Proxy
    database_url: str
    jwt_secret: str
    gateways: list[Service]
    consumers: list[Service]
    another_consumer: Service
    topic: str
    lock_time: timedelta
    surprises: list[str] = field(default_factory=list)  # what faults found that should not be

    @property
    def kafka(self) -> Cluster:
        return Cluster(f"{HOST}:{self.kafka_proxy.port}")

    @property
    def services(self) -> list[Service]:
        return [*self.gateways, *self.consumers]

    def mend(self) -> list[str]:
        """Start what is not running, and return a sentence for everything that ended though nobody asked for it."""
        surprises = list(self.surprises)
        self.surprises.clear()
        for service in (*self.services, self.another_consumer):
            service.check()
            surprises += service.surprises
            service.surprises = []
        for service in self.services:
            service.start()
        return surprises

    async def recover_within(self, seconds: float) -> list[str]:
        """Wait until every service is ready; replace those that do not get there, and return a sentence for each."""
        ready = await asyncio.gather(*(service.is_ready_within(seconds) for service in self.services))
        stuck = [it for it, is_ready in zip(self.services, ready, strict=True) if it.is_running and not is_ready]
        for service in stuck:
            service.kill()
        return [f"the {it.name} did not become ready within {seconds:.0f} s: see {it.log}" for it in stuck]


@asynccontextmanager
async def running_stage(directory: Path, lock_time: timedelta) -> AsyncIterator[Stage]:
    """Start everything and yield it once it is ready; kill the services and stop the servers afterwards."""
    async with AsyncExitStack() as exits:
        kafka_port, postgres_port = free_port(), free_port()
        kafka_proxy = await exits.enter_async_context(Proxy(free_port(), kafka_port))
        postgres_proxy = await exits.enter_async_context(Proxy(free_port(), postgres_port))
        servers = LocalStack(
            directory, kafka_port=kafka_port, postgres_port=postgres_port, kafka_advertised_port=kafka_proxy.port
        )
        exits.push_async_callback(asyncio.to_thread, servers.stop)
        await asyncio.to_thread(servers.start)
        gateway_url, consumer_url = await asyncio.to_thread(_prepare, servers, postgres_proxy.port)
        await ensure_topic(Cluster(f"{HOST}:{kafka_proxy.port}"), ATTEMPT_EVENTS.name)
        make = _Services(directory, f"{HOST}:{kafka_proxy.port}", gateway_url, consumer_url)
        stage = Stage(
            servers=servers,
            kafka_proxy=kafka_proxy,
            postgres_proxy=postgres_proxy,
            database_url=servers.postgres.database_url(DATABASE),
            jwt_secret=make.jwt_secret,
            gateways=[make.gateway(number) for number in range(1, GATEWAYS + 1)],
            consumers=[make.consumer(number) for number in range(1, CONSUMERS + 1)],
            another_consumer=make.consumer(CONSUMERS + 1),
            topic=ATTEMPT_EVENTS.name,
            lock_time=lock_time,
        )
        exits.enter_context(_killed_afterwards([*stage.services, stage.another_consumer]))
        stage.mend()
        if surprises := await stage.recover_within(START_DEADLINE) + stage.mend():
            raise OperatorError("; ".join(surprises))
        yield stage


@contextmanager
def _killed_afterwards(services: list[Service]) -> Iterator[None]:
    try:
        yield
    finally:
        for service in services:
            service.kill()


def _prepare(servers: LocalStack, proxy_port: int) -> tuple[str, str]:
    """Make the tables, and a login for each service; return their URLs, which lead through the proxy."""
    with psycopg.connect(servers.postgres.url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))
    url = servers.postgres.database_url(DATABASE)
    migrations.upgrade(url)
    with psycopg.connect(url, autocommit=True) as connection:
        gateway, consumer = (_login(connection, role) for role in ("attemptlog_gateway", "attemptlog_consumer"))
    return _with_login(url, gateway, proxy_port), _with_login(url, consumer, proxy_port)


def _login(connection: psycopg.Connection, role: str) -> str:
    name, password = f"{role}_login", secrets.token_urlsafe(16)
    connection.execute(
        sql.SQL("CREATE ROLE {} LOGIN PASSWORD {} IN ROLE {}").format(
            sql.Identifier(name), sql.Literal(password), sql.Identifier(role)
        )
    )
    return f"{name}:{password}"


def _with_login(url: str, login: str, port: int) -> str:
    return urlunsplit(urlsplit(url)._replace(netloc=f"{login}@{HOST}:{port}"))


class _Services:
    """Knows what the services have to be told."""

    def __init__(self, directory: Path, bootstrap_servers: str, gateway_url: str, consumer_url: str) -> None:
        self.jwt_secret = secrets.token_urlsafe(32)
        self._directory = directory
        self._gateway_settings = {
            "kafka_bootstrap_servers": bootstrap_servers,
            "database_url": gateway_url,
            "jwt_secret": self.jwt_secret,
            "delivery_deadline": str(DELIVERY_DEADLINE.total_seconds()),
        }
        self._consumer_settings = {
            "kafka_bootstrap_servers": bootstrap_servers,
            "database_url": consumer_url,
            "consumer_session_timeout": str(SESSION_TIMEOUT.total_seconds()),
            "consumer_host": HOST,
        }

    def gateway(self, number: int) -> Service:
        port = free_port()
        arguments = ["attemptlog.cli", "ingest", "--host", HOST, "--port", str(port)]
        return self._service(f"gateway-{number}", arguments, self._gateway_settings, port)

    def consumer(self, number: int) -> Service:
        port = free_port()
        settings = self._consumer_settings | {"consumer_port": str(port)}
        return self._service(f"consumer-{number}", ["attemptlog.consumer"], settings, port)

    def _service(self, name: str, arguments: list[str], settings: dict[str, str], port: int) -> Service:
        return Service(name, arguments, settings, url=f"http://{HOST}:{port}", directory=self._directory)
