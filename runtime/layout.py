"""How the topic has to be laid out in Kafka, what is wrong with one that is not, and the commands that mend it."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass

from attemptlog.schemas import ATTEMPT_EVENTS

REPLICATION = 3
MIN_INSYNC_REPLICAS = 2  # one broker may be away and what is acknowledged is still on two
FOR_EVER = -1  # Kafka's word for no limit

KAFKAS_NAMES = {
    "retention_ms": "retention.ms",
    "min_insync_replicas": "min.insync.replicas",
    "cleanup_policy": "cleanup.policy",
    "retention_bytes": "retention.bytes",
    "unclean_leader_election": "unclean.leader.election.enable",
    "max_message_bytes": "max.message.bytes",
}


@dataclass(frozen=True, slots=True)
class Layout:
    """How a topic is laid out. Nothing but age may make Kafka drop a record: no size, no other record of the session
    (compaction), no replica that lags and is made leader.
    """

    partitions: int
    replication: int
    retention_ms: int
    min_insync_replicas: int
    cleanup_policy: str = "delete"
    retention_bytes: int = FOR_EVER
    unclean_leader_election: str = "false"
    max_message_bytes: int = ATTEMPT_EVENTS.max_message_bytes

    @classmethod
    def found(cls, partitions: int, replication: int, configs: Mapping[str, str]) -> "Layout":
        """Return the layout of a topic with these settings, by Kafka's names."""
        given = {name: configs[kafkas] for name, kafkas in KAFKAS_NAMES.items()}
        numbers = {name: int(text) for name, text in given.items() if text.lstrip("-").isdigit()}
        return cls(partitions, replication, **given | numbers)  # type: ignore[arg-type]  # Kafka's types are ours

    @property
    def configs(self) -> dict[str, str]:
        """The settings by Kafka's names."""
        return {kafkas: str(getattr(self, name)) for name, kafkas in KAFKAS_NAMES.items()}

    def wrong(self, wanted: "Layout") -> list[str]:
        """Return the fields that have to be changed; more than wanted is fine where more is safer."""
        is_fine = {
            "partitions": self.partitions >= wanted.partitions,
            "replication": self.replication >= wanted.replication,
            "retention_ms": self.retention_ms == FOR_EVER or self.retention_ms >= wanted.retention_ms,
            "min_insync_replicas": self._survives_a_broker(wanted.min_insync_replicas),
            "cleanup_policy": self.cleanup_policy == wanted.cleanup_policy,
            "retention_bytes": self.retention_bytes == wanted.retention_bytes,
            "unclean_leader_election": self.unclean_leader_election == wanted.unclean_leader_election,
            "max_message_bytes": self.max_message_bytes >= wanted.max_message_bytes,
        }
        return [name for name, fine in is_fine.items() if not fine]

    def _survives_a_broker(self, wanted: int) -> bool:
        # as many as there are replicas, and nothing is accepted with one broker away
        return self.min_insync_replicas == wanted or wanted < self.min_insync_replicas < self.replication

    def differences(self, wanted: "Layout") -> Iterator[str]:
        """Yield a sentence for everything that has to be changed."""
        found, expected = asdict(self), asdict(wanted)
        for name in self.wrong(wanted):
            yield f"{name.replace('_', ' ')} is {found[name]} instead of {expected[name]}"

    def commands(self, wanted: "Layout", topic: str, bootstrap_servers: str) -> Iterator[str]:
        """Yield the commands of Kafka's own that change what has to be changed."""
        wrong = self.wrong(wanted)
        if "partitions" in wrong:
            yield (
                f"kafka-topics.sh --bootstrap-server {bootstrap_servers} --alter --topic {topic} "
                f"--partitions {wanted.partitions}"
            )
        if "replication" in wrong:
            yield (
                f"kafka-reassign-partitions.sh --bootstrap-server {bootstrap_servers} --execute "
                f"--reassignment-json-file FILE  # with {wanted.replication} replicas for each partition of {topic}"
            )
        changes = [f"{kafkas}={wanted.configs[kafkas]}" for name, kafkas in KAFKAS_NAMES.items() if name in wrong]
        if changes:
            yield (
                f"kafka-configs.sh --bootstrap-server {bootstrap_servers} --alter --entity-type topics "
                f"--entity-name {topic} --add-config {','.join(changes)}"
            )


def wanted_layout(brokers: int) -> Layout:
    """Return the layout for a cluster: three replicas, two of them in sync, or what so many brokers can hold."""
    replication = min(REPLICATION, brokers)
    return Layout(
        partitions=ATTEMPT_EVENTS.partitions,
        replication=replication,
        retention_ms=int(ATTEMPT_EVENTS.retention.total_seconds() * 1000),
        min_insync_replicas=min(MIN_INSYNC_REPLICAS, max(1, replication - 1)),
    )
