"""One Kafka for all workers of a test run: their parent starts it when the first of them asks for it.

A worker may end before the others, and a server ends with the process that started it.
"""

import os
import threading
from multiprocessing.connection import Client, Listener
from pathlib import Path
from typing import Self

from attemptlog.local_stack import KafkaBroker, LocalStackError

WHERE_TO_ASK = "TESTS_SHARED_KAFKA"


class SharedKafka:
    """`with` answers whoever asks, and stops the broker, if there is one, at the end."""

    def __init__(self, directory: Path) -> None:
        self._broker = KafkaBroker(directory / "kafka", None)
        self._address = str(directory / "asked")

    def __enter__(self) -> Self:
        self._listener = Listener(self._address)
        threading.Thread(target=self._answer, daemon=True).start()
        os.environ[WHERE_TO_ASK] = self._address
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._listener.close()
        self._broker.stop()

    def _answer(self) -> None:
        while True:
            with self._listener.accept() as asking:
                asking.send(self._started())

    def _started(self) -> str | LocalStackError:
        try:
            self._broker.start()
        except LocalStackError as error:
            return error
        return self._broker.bootstrap_servers


def ask_for_kafka() -> str:
    """Return the bootstrap servers of the run's Kafka, which runs then; raises LocalStackError."""
    with Client(os.environ[WHERE_TO_ASK]) as run:
        answer = run.recv()
    if isinstance(answer, LocalStackError):
        raise answer
    return str(answer)
