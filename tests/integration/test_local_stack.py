import asyncio
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import psutil
import psycopg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from attemptlog.local_stack import LocalStack, LocalStackError, stop_leftovers
from attemptlog.local_stack.processes import servers_in
from tests.support.eventually import PATIENCE, eventually
from tests.support.signals import HEEDING_SIGNALS

OUTLIVING = """
import signal, sys
from pathlib import Path
from attemptlog.local_stack import LocalStack, PostgresServer
PostgresServer.death_signal = 0  # as on systems that do not tie a child to its parent
LocalStack(Path(sys.argv[1])).postgres.start()
print(flush=True)
signal.pause()
"""


@pytest.fixture
def directory(stack_directory: Path) -> Iterator[Path]:
    directory = stack_directory / uuid4().hex[:12]
    yield directory
    stop_leftovers(directory)


@contextmanager
def running(*command: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen([*HEEDING_SIGNALS, sys.executable, *command], stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def test_two_stacks_run_at_once_and_in_paths_with_spaces(stack_directory: Path) -> None:
    stacks = [LocalStack(stack_directory / "with a space" / name, durable=False) for name in ("one", "two")]
    try:
        with ThreadPoolExecutor() as pool:
            list(pool.map(LocalStack.start, stacks))
        for stack in stacks:
            with psycopg.connect(stack.postgres.url) as connection:
                assert connection.execute("SELECT current_setting('track_commit_timestamp')").fetchone() == ("on",)
        assert len({stack.kafka.bootstrap_servers for stack in stacks}) == 2
    finally:
        for stack in stacks:
            stack.stop()
    assert not list(servers_in(stack_directory / "with a space"))


def test_servers_listen_on_the_loopback_address_only(private_stack: LocalStack) -> None:
    listening = [
        connection.laddr.ip.removeprefix("::ffff:")
        for server in servers_in(private_stack.directory)
        for connection in server.net_connections()
        if connection.status == psutil.CONN_LISTEN
    ]
    assert set(listening) == {"127.0.0.1"}


async def test_a_killed_broker_comes_back_at_its_address_with_its_records(private_stack: LocalStack) -> None:
    kafka = private_stack.kafka
    address = kafka.bootstrap_servers
    await create_topic(address, "kept")
    async with AIOKafkaProducer(bootstrap_servers=address, acks="all") as producer:
        await producer.send_and_wait("kept", b"record")
    kafka.kill()
    assert not kafka.is_running
    await asyncio.to_thread(kafka.start)
    assert kafka.bootstrap_servers == address
    async with AIOKafkaConsumer("kept", bootstrap_servers=address, auto_offset_reset="earliest") as consumer:
        assert (await consumer.getone()).value == b"record"


def test_a_killed_database_comes_back_at_its_address_with_its_rows(private_stack: LocalStack) -> None:
    postgres = private_stack.postgres
    url = postgres.url
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1 AS number")
    postgres.kill()
    assert not postgres.is_running
    postgres.start()
    assert postgres.url == url
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT number FROM kept").fetchone() == (1,)


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_a_database_with_clients_stops(private_stack: LocalStack, mode: str) -> None:
    with psycopg.connect(private_stack.postgres.url):
        private_stack.postgres.stop("fast" if mode == "fast" else "immediate")
        assert not private_stack.postgres.is_running
    private_stack.postgres.start()


def test_a_second_stack_in_the_same_directory_is_refused(private_stack: LocalStack) -> None:
    with pytest.raises(LocalStackError, match="Another attemptlog stack is running in"):
        LocalStack(private_stack.directory).start()
    assert private_stack.kafka.is_running
    assert private_stack.postgres.is_running


async def test_servers_end_with_a_python_that_is_killed(directory: Path) -> None:
    with running("-m", "attemptlog.local_stack", str(directory)) as process:
        assert process.stdout
        process.stdout.readline()
        assert len(list(servers_in(directory))) > 1
        process.kill()
        if sys.platform == "linux":
            await eventually(lambda: not list(servers_in(directory)))


async def test_servers_that_outlived_their_python_are_ended_by_the_next_start(directory: Path) -> None:
    with running("-c", OUTLIVING, str(directory)) as process:
        assert process.stdout
        process.stdout.readline()
        process.kill()
    left = list(servers_in(directory))
    assert left
    postgres = LocalStack(directory).postgres
    postgres.start()
    assert not set(left) & set(servers_in(directory))
    postgres.stop()


def test_down_stops_the_stack_and_says_so(directory: Path) -> None:
    with running("-m", "attemptlog.local_stack", str(directory)) as process:
        assert process.stdout
        process.stdout.readline()
        assert stop_leftovers(directory) == [f"attemptlog (process {process.pid})"]
    assert not list(servers_in(directory))
    assert stop_leftovers(directory) == []


@pytest.mark.parametrize(
    "moment", ["kafka/lock", "kafka/data.new", "postgres/data.new", "postgres/data/postmaster.pid"]
)
async def test_ctrl_c_at_any_moment_of_the_start_leaves_nothing_running(directory: Path, moment: str) -> None:
    with running("-m", "attemptlog.local_stack", str(directory)) as process:
        await eventually((directory / moment).exists, interval=0.005)
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 130
    assert not list(servers_in(directory))


@pytest.mark.parametrize("server", ["kafka", "postgres"])
def test_a_taken_port_is_named(directory: Path, server: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        stack = LocalStack(directory, kafka_port=port, postgres_port=port)
        with pytest.raises(LocalStackError, match=f"Port {port} for .* is taken"):
            getattr(stack, server).start()


def test_a_directory_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(LocalStackError, match=r"file/stack/kafka cannot be used \(Not a directory\)"):
        LocalStack(tmp_path / "file" / "stack").start()


def test_without_jars_and_network_the_message_says_so(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(directory / "cache"))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "")
    with pytest.raises(LocalStackError, match=r"is not in .* and cannot be downloaded"):
        LocalStack(directory).kafka.start()


def test_a_server_that_dies_while_starting_is_quoted(directory: Path) -> None:
    postgres = LocalStack(directory, durable=False).postgres
    postgres.start()
    postgres.stop()
    with (postgres.directory / "data" / "postgresql.conf").open("a") as settings:
        settings.write("nonsense = on\n")
    with pytest.raises(LocalStackError, match=r"PostgreSQL stopped while starting .*FATAL.*contains errors"):
        postgres.start()
    assert not postgres.is_running


async def create_topic(address: str, name: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=address)
    await admin.start()
    await admin.create_topics([NewTopic(name, num_partitions=1, replication_factor=1)])
    await admin.close()
