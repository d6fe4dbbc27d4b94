import os
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from attemptlog.local_stack.kafka import KafkaBroker
from attemptlog.local_stack.lock import holder
from attemptlog.local_stack.postgres import PostgresServer
from attemptlog.local_stack.processes import end, servers_in
from attemptlog.local_stack.server import LOCK_NAME, STOP_TIMEOUT

NAMES = {"java": KafkaBroker.name, "postgres": PostgresServer.name}


class LocalStack:
    """Apache Kafka and PostgreSQL with their data under `directory`; the constructor starts nothing.

    As a context manager it starts both and stops both. `durable=False` lets PostgreSQL answer before the disk has the
    data, which is for tests only. Kafka sends its clients to `kafka_advertised_port` when a proxy stands before it.
    """

    def __init__(
        self,
        directory: Path,
        *,
        kafka_port: int | None = None,
        kafka_advertised_port: int | None = None,
        postgres_port: int | None = None,
        durable: bool = True,
    ) -> None:
        self.directory = directory.absolute()
        self.kafka = KafkaBroker(self.directory / "kafka", kafka_port, advertised_port=kafka_advertised_port)
        self.postgres = PostgresServer(self.directory / "postgres", postgres_port, durable=durable)

    def start(self) -> None:
        """Start both and return once both answer; after an error or an interrupt none is left running."""
        try:
            self.kafka.launch()
            self.postgres.start()
            self.kafka.wait_until_ready()
        except BaseException:
            self.kafka.abandon()
            self.postgres.abandon()
            raise

    def stop(self) -> None:
        try:
            self.kafka.stop()
        finally:
            self.postgres.stop()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()


def stop_leftovers(directory: Path) -> list[str]:
    """End whatever runs in a stack's `directory`: the process that started it, then servers that outlived theirs.

    Returns what was ended, by name and process number.
    """
    directory = directory.absolute()
    owners = [psutil.Process(number) for number in _owners(directory)]
    end(owners, grace=STOP_TIMEOUT)
    servers = list(servers_in(directory))
    names = [f"{NAMES[server.name()]} (process {server.pid})" for server in servers]
    end(servers)
    return [*(f"attemptlog (process {owner.pid})" for owner in owners), *names]


def _owners(directory: Path) -> set[int]:
    holders = {holder(lock) for lock in directory.glob(f"*/{LOCK_NAME}")}
    return {number for number in holders if number is not None} - {os.getpid()}
