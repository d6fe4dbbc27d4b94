import gc
import os
import sys
from collections.abc import AsyncIterator, Generator, Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from testcontainers.community.kafka import KafkaContainer
from testcontainers.community.postgres import PostgresContainer

from attemptlog.local_stack import LocalStack, PostgresServer
from attemptlog.migrations import upgrade
from tests.support.memory import folder_in_memory
from tests.support.oldest_postgres import OLDEST, OldestPostgres
from tests.support.own_ports import keep_to_own_ports
from tests.support.property_tests import load_profile
from tests.support.record_store import RunningStore, running_store
from tests.support.services import create_topic, docker_answers, temporary_database, with_database
from tests.support.shared_kafka import SharedKafka, ask_for_kafka

# Every process that a test starts would compile anew all that it imports, and this one every test.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
# Their brokers do not live long enough for the code of the best compiler to pay.
os.environ["JDK_JAVA_OPTIONS"] = "-XX:TieredStopAtLevel=1"

load_profile()


def pytest_configure(config: pytest.Config) -> None:
    """Share a Kafka among the workers of a test run, which PYTEST_XDIST_WORKER names, and no port."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        keep_to_own_ports()
    else:
        stack = ExitStack()
        directory = stack.enter_context(TemporaryDirectory(prefix="attemptlog-tests-", dir=folder_in_memory()))
        stack.enter_context(SharedKafka(Path(directory)))
        config.add_cleanup(stack.close)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Keep the garbage collector from going through the tests themselves, again and again: they stay to the end."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what tests have measured."""
    for report in terminalreporter.getreports("passed"):
        for name, value in report.user_properties:
            terminalreporter.write_line(f"{name}: {value}")


@pytest.fixture(scope="session")
def stack_directory() -> Iterator[Path]:
    """Outside of pytest's own directories, which are closed to the user that PostgreSQL runs as when we are root."""
    with TemporaryDirectory(prefix="attemptlog-tests-", dir=folder_in_memory()) as directory:
        yield Path(directory)


@pytest.fixture(scope="session")
def record_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStore]:
    """A learning record store that the tests share; each empties it first."""
    with running_store(tmp_path_factory.mktemp("record_store")) as store:
        yield store


@pytest.fixture(scope="session")
def has_docker() -> bool:
    return docker_answers()


@pytest.fixture(scope="session")
def kafka_bootstrap(has_docker: bool) -> Iterator[str]:
    """Bootstrap servers of the Kafka that the tests share; must not be stopped by a test."""
    if given := os.environ.get("ATTEMPTLOG_KAFKA_BOOTSTRAP_SERVERS"):
        yield given
    elif has_docker:
        with KafkaContainer("confluentinc/cp-kafka:8.1.0").with_kraft() as kafka:
            yield kafka.get_bootstrap_server()
    else:
        yield ask_for_kafka()


@pytest.fixture(scope="session")
def postgres_url(request: pytest.FixtureRequest, has_docker: bool) -> Iterator[str]:
    """A superuser's URL of the PostgreSQL that the tests share; must not be stopped by a test.

    The tests that are marked `on_every_postgres` have another one besides.
    """
    if getattr(request, "param", None) == OLDEST:
        yield request.getfixturevalue("oldest_postgres_url")
    elif given := os.environ.get("ATTEMPTLOG_DATABASE_URL"):
        yield given
    elif has_docker:
        with PostgresContainer("postgres:18", driver=None).with_command("-c track_commit_timestamp=on") as postgres:
            yield postgres.get_connection_url()
    else:
        yield request.getfixturevalue("local_postgres_url")


@pytest.fixture(scope="session")
def local_postgres_url(stack_directory: Path) -> Iterator[str]:
    server = PostgresServer(stack_directory / "postgres", None, durable=False)
    server.start()
    yield server.url
    server.stop()


@pytest.fixture(scope="session")
def oldest_postgres_url(stack_directory: Path) -> Iterator[str]:
    """A superuser's URL of the oldest PostgreSQL that is supported; must not be stopped by a test."""
    server = OldestPostgres(stack_directory / "oldest-postgres", None, durable=False)
    server.start()
    yield server.url
    server.stop()


@pytest.fixture(scope="session")
def template_database(postgres_url: str) -> Iterator[str]:
    """Name of a migrated database without rows, to be copied."""
    with temporary_database(postgres_url) as name:
        upgrade(with_database(postgres_url, name))
        yield name


@pytest.fixture
def database_url(postgres_url: str, template_database: str) -> Iterator[str]:
    """A superuser's URL of a migrated database of the test's own."""
    with temporary_database(postgres_url, template=template_database) as name:
        yield with_database(postgres_url, name)


@pytest.fixture
def empty_database_url(postgres_url: str) -> Iterator[str]:
    """A superuser's URL of a database of the test's own without any table."""
    with temporary_database(postgres_url) as name:
        yield with_database(postgres_url, name)


@pytest.fixture
async def topic(kafka_bootstrap: str) -> AsyncIterator[str]:
    """Name of a topic of the test's own."""
    name = await create_topic(kafka_bootstrap)
    yield name
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_bootstrap)
    await admin.start()
    try:
        await admin.delete_topics([name])
    finally:
        await admin.close()


@pytest.fixture(scope="module")
def private_stack(stack_directory: Path) -> Iterator[LocalStack]:
    """A running stack of the module's own, whose servers its tests may stop, kill and start again."""
    with LocalStack(stack_directory / uuid4().hex[:12], durable=False) as stack:
        yield stack
