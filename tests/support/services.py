"""Which Kafka and PostgreSQL the tests use, and databases and topics in them."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import psycopg
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from psycopg import sql

from attemptlog.runtime.admin import describe
from tests.support.eventually import eventually

DEFAULT_DOCKER_HOST = "unix:///var/run/docker.sock"
DOCKER_ANSWER_TIMEOUT = 2  # seconds


def docker_answers() -> bool:
    """Whether a Docker daemon answers, asked by hand: Docker's own client leaves its socket open when none does."""
    address = urlsplit(os.environ.get("DOCKER_HOST", DEFAULT_DOCKER_HOST))
    is_local = address.scheme == "unix"
    with socket.socket(socket.AF_UNIX if is_local else socket.AF_INET) as connection:
        connection.settimeout(DOCKER_ANSWER_TIMEOUT)
        try:
            connection.connect(address.path if is_local else (address.hostname, address.port))
            connection.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
            return b" 200 " in connection.recv(64)
        except OSError:
            return False


async def create_topic(bootstrap_servers: str, partitions: int = 12, name: str | None = None) -> str:
    """Create a topic, of the caller's own unless it has a name, and return its name."""
    name = name or f"attempt-events.v1.{uuid4().hex[:12]}"
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(name, num_partitions=partitions, replication_factor=1)])
        await eventually(lambda: describe(admin, name))  # the controller has it before the broker has heard of it
    finally:
        await admin.close()
    return name


@contextmanager
def temporary_database(maintenance_url: str, template: str | None = None) -> Iterator[str]:
    """A new database, copied from `template` when given: yields its name and drops it afterwards."""
    name = f"attemptlog_{uuid4().hex[:12]}"
    source = sql.SQL("TEMPLATE {}").format(sql.Identifier(template)) if template else sql.SQL("")
    with psycopg.connect(maintenance_url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} {}").format(sql.Identifier(name), source))
    try:
        yield name
    finally:
        with psycopg.connect(maintenance_url, autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def with_database(url: str, name: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))
