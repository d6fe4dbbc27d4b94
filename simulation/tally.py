"""What the class itself knows: which events it sent, and which of them the gateway said it has."""

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from attemptlog.simulation.sitting import Stream


@dataclass(slots=True)
class Sendings:
    """Events of one stream: `seqs[i]` was sent at Unix time `times[i]`; 12 bytes an event, for long replays."""

    seqs: "array[int]" = field(default_factory=lambda: array("i"))
    times: "array[float]" = field(default_factory=lambda: array("d"))

    def add(self, seqs: Sequence[int], at: float) -> None:
        self.seqs.extend(seqs)
        self.times.extend([at] * len(seqs))


@dataclass(slots=True)
class Tally:
    """Counts of events, repeats included, and the events themselves per stream."""

    sent: int = 0
    repeated: int = 0
    accepted: int = 0
    rejected: int = 0
    not_accepted: int = 0  # no answer after every retry: nobody knows whether Kafka has them
    retries: int = 0  # POSTs
    finished_sessions: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    accepted_events: dict[Stream, Sendings] = field(default_factory=dict)
    unsure_events: dict[Stream, Sendings] = field(default_factory=dict)

    def accept(self, stream: Stream, seqs: Sequence[int], at: float) -> None:
        """Note events that the gateway has taken; `at` is when their POST was made, in Unix time."""
        self.accepted += len(seqs)
        self.accepted_events.setdefault(stream, Sendings()).add(seqs, at)

    def lose(self, stream: Stream, seqs: Sequence[int], at: float) -> None:
        """Note events of a POST that never got an answer."""
        self.not_accepted += len(seqs)
        self.doubt(stream, seqs, at)

    def doubt(self, stream: Stream, seqs: Sequence[int], at: float) -> None:
        """Note events that may be stored without our knowing."""
        self.unsure_events.setdefault(stream, Sendings()).add(seqs, at)

    def reject(self, count: int, code: str) -> None:
        """Note events that the gateway refused."""
        self.rejected += count
        self.reasons[code] = self.reasons.get(code, 0) + count

    def rows(self) -> Iterator[tuple[str, str | None, int, datetime, bool]]:
        """Yield session, stream, seq, time sent and whether it was accepted, once per sending."""
        for is_accepted, streams in ((True, self.accepted_events), (False, self.unsure_events)):
            for stream, sendings in streams.items():
                for seq, at in zip(sendings.seqs, sendings.times, strict=True):
                    yield *stream, seq, datetime.fromtimestamp(at, UTC), is_accepted
