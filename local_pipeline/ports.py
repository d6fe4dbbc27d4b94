"""Where the services of `attemptlog up` listen: what was chosen, checked, else the usual port or a free one."""

from dataclasses import asdict, dataclass

from attemptlog.local_pipeline.progress import Progress
from attemptlog.local_stack import LocalStackError
from attemptlog.local_stack.ports import check_free, free_port
from attemptlog.runtime.errors import OperatorError

KAFKA_PORT = 9092
POSTGRES_PORT = 5432
NAMES = {
    "gateway": "the gateway",
    "consumer": "the consumer",
    "kafka": "Kafka",
    "postgres": "PostgreSQL",
    "platform": "the example platform",
    "console": "the console",
}


@dataclass(frozen=True, slots=True)
class Ports:
    """Where to listen; None: the server's usual port, or a free one when that is taken; no platform, no console."""

    gateway: int
    consumer: int
    kafka: int | None = None
    postgres: int | None = None
    platform: int | None = None
    console: int | None = None

    @property
    def chosen(self) -> dict[str, int]:
        """Those that must be as they are, by the names of their options."""
        return {name: port for name, port in asdict(self).items() if port is not None}

    def kafka_port(self, progress: Progress) -> int:
        return self.kafka or self._usual(KAFKA_PORT, "kafka", progress)

    def postgres_port(self, progress: Progress) -> int:
        return self.postgres or self._usual(POSTGRES_PORT, "postgres", progress)

    def check(self) -> None:
        """Raise OperatorError, with what to type, when a chosen port is taken or chosen twice."""
        seen: dict[int, str] = {}
        for option, port in self.chosen.items():
            if port in seen:
                raise OperatorError(f"Port {port} is for {seen[port]} and {NAMES[option]}: choose two, {_as(option)}")
            try:
                check_free(port, NAMES[option])
            except LocalStackError as error:
                raise OperatorError(f"{str(error).removesuffix('.')}, {_as(option)}") from error
            seen[port] = NAMES[option]

    def _usual(self, port: int, option: str, progress: Progress) -> int:
        if port not in self.chosen.values() and _is_free(port):
            return port
        other = free_port()
        progress.warn(f"Port {port} is taken, so {NAMES[option]} listens on {other}.")
        return other


def _as(option: str) -> str:
    port = free_port()
    return f"as in `make run {option.upper()}_PORT={port}` or `attemptlog up --{option}-port={port}`."


def _is_free(port: int) -> bool:
    try:
        check_free(port, "it")
    except LocalStackError:
        return False
    return True
