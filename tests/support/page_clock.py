"""A page whose events get late to the gateway and whose clock is set: what is stored of it, and when it really was."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from uuid import UUID

FLUSH_EVERY, FLUSH_AT, MOST_AT_ONCE = 12.0, 10, 50  # seconds, events, events: as the client does
BEGIN = datetime(2026, 3, 2, 9, tzinfo=UTC)
BACK = 0.02  # seconds until the page has the answer


@dataclass(frozen=True, slots=True)
class Clock:
    """A machine's clock: so much ahead of the server's, and set by so much at each of some times; all in seconds."""

    ahead: float = 0.0
    set_by: Sequence[tuple[float, float]] = ()

    def says(self, time: float) -> float:
        return time + self.ahead + sum(by for at, by in self.set_by if moment(at) <= moment(time))


@dataclass(frozen=True, slots=True)
class Network:
    """How long requests take, and when there is no network at all; in seconds."""

    ways: Sequence[float] = (0.05,)
    away: Sequence[tuple[float, float]] = ()

    def is_away(self, time: float) -> bool:
        return any(since <= time < until for since, until in self.away)


@dataclass(frozen=True, slots=True)
class Stored:
    """An event as the table has it, with the time at which it happened and how long its request was on its way."""

    stream_id: UUID | None
    seq: int
    event_ts: datetime
    client_ts: datetime
    sent_at: datetime | None
    happened: datetime
    way: timedelta


@dataclass
class Page:
    """One load of a page, with one request on its way at a time."""

    clock: Clock
    network: Network
    stream_id: UUID | None
    says_when: bool = True
    random: Random = field(default_factory=lambda: Random(0))  # noqa: S311

    def store(self, times: Sequence[float]) -> Iterator[Stored]:
        """Yield what is stored of events that happened at these times, which ascend."""
        waiting: list[tuple[int, float]] = []
        coming = list(enumerate(times, start=1))
        now = times[0]
        while waiting or coming:
            now = self._next_flush(now, waiting, coming)
            while coming and coming[0][1] <= now:
                waiting.append(coming.pop(0))
            if self.network.is_away(now) or not waiting:
                continue
            batch, waiting = waiting[:MOST_AT_ONCE], waiting[MOST_AT_ONCE:]
            way = self.random.choice(self.network.ways)
            yield from (self._stored(seq, time, now, way) for seq, time in batch)
            now += way + BACK

    def _next_flush(self, now: float, waiting: Sequence[object], coming: Sequence[tuple[int, float]]) -> float:
        lacking = FLUSH_AT - len(waiting)
        if lacking <= len(coming):
            full = now if lacking <= 0 else max(now, coming[lacking - 1][1])
            if full < now + FLUSH_EVERY and not self.network.is_away(full):
                return full
        return now + FLUSH_EVERY

    def _stored(self, seq: int, time: float, sent: float, way: float) -> Stored:
        return Stored(
            stream_id=self.stream_id,
            seq=seq,
            event_ts=moment(sent + way),
            client_ts=milliseconds(moment(self.clock.says(time))),
            sent_at=milliseconds(moment(self.clock.says(sent))) if self.says_when else None,
            happened=moment(time),
            way=timedelta(seconds=way),
        )


def moment(time: float) -> datetime:
    """Return the server's time so many seconds after BEGIN."""
    return BEGIN + timedelta(seconds=time)


def milliseconds(when: datetime) -> datetime:
    """Return what a browser's clock would say: whole milliseconds."""
    return when.replace(microsecond=when.microsecond // 1000 * 1000)


def can_be_known(clock: Clock, network: Network, load: Sequence[Stored]) -> bool:
    """Whether what is stored of a page tells where its clock was set, and by how much.

    It does not when the clock was set before the first request had come, while there was no network, or back by less
    than the pause that it happened in.
    """
    first_came = min(it.event_ts for it in load)
    for at, by in clock.set_by:
        before = [it for it in load if it.happened < moment(at)]
        after = [it for it in load if it.happened >= moment(at)]
        is_seen = not before or not after or after[0].client_ts < before[-1].client_ts
        if (by < 0 and not is_seen) or (by > 0 and moment(at) <= first_came):
            return False
        if any(since <= at <= until + FLUSH_EVERY for since, until in network.away):
            return False
    return True
