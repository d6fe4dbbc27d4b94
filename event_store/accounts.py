"""The arithmetic of an audit: what Kafka, the ledger and the tables say, and whether they agree."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from attemptlog.runtime.admin import Offsets


@dataclass(frozen=True, slots=True)
class Counts:
    """A row of partition_ledger, and how many dead_letters there are, and were purged, of its partition in that log."""

    next_offset: int = 0
    records: int = 0
    inserted: int = 0
    duplicates: int = 0
    dead_lettered: int = 0
    suppressed: int = 0
    dead_letter_rows: int = 0
    first_offset: int = 0  # what came before it in the partition is another log's account
    purged_letters: int = 0

    @property
    def letters_wrong(self) -> str | None:
        """A sentence when dead letters are missing, or there are too many."""
        if self.dead_letter_rows + self.purged_letters == self.dead_lettered:
            return None
        purged = f" and {self.purged_letters} were purged" * bool(self.purged_letters)
        return f"{self.dead_lettered} dead-lettered, but {self.dead_letter_rows} rows in dead_letters{purged}"

    @property
    def lost(self) -> int:
        """Offsets of a log that is read to its end, or to next_offset, that were no record when they were reached."""
        return self.next_offset - self.first_offset - self.records

    def __sub__(self, earlier: "Counts") -> "Counts":
        return Counts(**{name: value - getattr(earlier, name) for name, value in asdict(self).items()})

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(**{name: value + getattr(other, name) for name, value in asdict(self).items()})


NOTHING = Counts()


@dataclass(frozen=True, slots=True)
class Gone:
    """What was taken away, of all topics: events by purges and by retention, and dead letters by both."""

    by_purge: int = 0
    by_retention: int = 0
    letters: int = 0

    @property
    def events(self) -> int:
        return self.by_purge + self.by_retention


NOTHING_GONE = Gone()


@dataclass(frozen=True, slots=True)
class PartitionAccount:
    """One partition; `offsets` is None when Kafka does not have it."""

    partition: int
    offsets: Offsets | None
    counts: Counts

    @property
    def is_recreated(self) -> bool:
        """True when the ledger is ahead of Kafka: the topic is not the one that was stored."""
        return self.offsets is None or self.offsets.end < self.counts.next_offset

    @property
    def pending(self) -> int:
        """Records that Kafka still holds and nobody has stored."""
        if self.offsets is None:
            return 0
        return max(0, self.offsets.end - max(self.counts.next_offset, self.offsets.begin))

    @property
    def lost(self) -> int:
        """Offsets that will never be accounted for: Kafka dropped them before they were stored."""
        begin = self.offsets.begin if self.offsets and not self.is_recreated else 0
        return max(self.counts.next_offset, begin) - self.counts.first_offset - self.counts.records

    def problems(self, *, allow_pending: bool = False) -> Iterator[str]:
        """Yield a sentence for everything that does not agree."""
        counts = self.counts
        settled = counts.inserted + counts.duplicates + counts.dead_lettered + counts.suppressed
        if self.is_recreated:
            yield "the ledger is ahead of Kafka: the topic was deleted or created anew"
        if self.pending and not allow_pending:
            yield f"{self.pending} records are not stored yet"
        if self.lost:
            yield f"{self.lost} records expired in Kafka before they were stored"
        if counts.records != settled:
            yield f"{counts.records} records, but {settled} inserted, duplicate, dead-lettered or suppressed"
        if counts.letters_wrong:
            yield counts.letters_wrong

    def as_data(self) -> dict[str, Any]:
        """Return the account for --json."""
        offsets = self.offsets or Offsets(0, 0)
        derived = {"pending": self.pending, "lost": self.lost, "problems": list(self.problems())}
        return {"partition": self.partition} | asdict(offsets) | asdict(self.counts) | derived


@dataclass(frozen=True, slots=True)
class Audit:
    """A topic's partitions; over all topics, what the ledger says is inserted, what replays of dead letters inserted
    since, `events`, the rows of attempt_events, and what is gone of what was stored. `objections` say why the log in
    Kafka is not the ledger's; `closed` is the sum over the logs that the topic's name had before, whose losses were
    accepted with the next one.
    """

    topic: str
    partitions: list[PartitionAccount]
    inserted_in_all: int
    events: int
    replayed_in_all: int = 0
    objections: Sequence[str] = ()
    closed_logs: int = 0
    closed: Counts = NOTHING
    gone: Gone = NOTHING_GONE

    @property
    def pending(self) -> int:
        """Records of all partitions that are not stored yet."""
        return sum(account.pending for account in self.partitions)

    @property
    def total(self) -> Counts:
        """The ledger's sum over the topic's partitions."""
        return sum((account.counts for account in self.partitions), NOTHING)

    def problems(self, *, allow_pending: bool = False) -> list[str]:
        """Return a sentence for everything that does not agree; empty when the audit agrees."""
        found = [f"this is not the log that is stored: {why}; see `attemptlog accept-log`" for why in self.objections]
        found += [
            f"partition {account.partition}: {problem}"
            for account in self.partitions
            for problem in account.problems(allow_pending=allow_pending)
        ]
        if self.closed.letters_wrong:
            found.append(f"earlier logs: {self.closed.letters_wrong}")
        if self.events + self.gone.events != self.inserted_in_all + self.replayed_in_all:
            said = f"{self.inserted_in_all} inserted" + f" and replays {self.replayed_in_all}" * bool(
                self.replayed_in_all
            )
            there = f"{self.events} rows" + f" and {self.gone.events} are gone" * bool(self.gone.events)
            found.append(f"the ledger says {said}, attempt_events has {there}")
        return found

    def as_data(self, *, allow_pending: bool = False) -> dict[str, Any]:
        """Return the audit for --json."""
        problems = self.problems(allow_pending=allow_pending)
        return {
            "topic": self.topic,
            "agrees": not problems,
            "problems": problems,
            "inserted": self.inserted_in_all,
            "replayed": self.replayed_in_all,
            "events": self.events,
            "gone": asdict(self.gone),
            "earlier_logs": {"logs": self.closed_logs, "lost": self.closed.lost} | asdict(self.closed),
            "partitions": [account.as_data() for account in self.partitions],
        }
