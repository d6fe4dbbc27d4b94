"""What was seen, as operators are told it. Pure."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from attemptlog.console.kafka_look import KafkaSight
from attemptlog.console.lookout import Seen
from attemptlog.console.operations_models import (
    LetterCounts,
    Operations,
    PartitionLag,
    Reached,
    Rejected,
    Scraped,
)
from attemptlog.console.watch import Rejections, Watched
from attemptlog.event_store.operations import StoredSight


def overview(watched: Watched, topic: str, now: datetime) -> Operations:
    """Return all of it; what was never seen is None, or in no list."""
    database, kafka = watched.database, watched.kafka
    stored = database.last.value if database.last else None
    partitions = list(_partitions(kafka.last.value, stored)) if kafka.last else []
    return Operations(
        at=now,
        topic=topic,
        events_in_per_s=kafka.rate(lambda sight: sight.end),
        events_stored_per_s=database.rate(lambda sight: sight.inserted),
        last_event_at=stored.last_stored_at if stored else None,
        stored_late_by_s=None if database.fault or kafka.fault else _late_by(kafka, partitions, now),
        partitions=partitions,
        rejected=list(_rejected([seen for _, seen in watched.gateways])),
        dead_letters=LetterCounts(open=stored.open_letters, settled=stored.settled_letters) if stored else None,
        gateways=[Scraped(url=url, **_reached(seen)) for url, seen in watched.gateways],
        kafka=Reached(**_reached(kafka)),
        database=Reached(**_reached(database)),
    )


def _reached(seen: Seen[Any]) -> dict[str, Any]:
    as_of = seen.last.at if seen.last else None
    return {"is_reached": seen.fault is None, "detail": seen.fault, "as_of": as_of}


def _partitions(sight: KafkaSight, stored: StoredSight | None) -> Iterator[PartitionLag]:
    if sight.log is None:
        return
    for partition, end in sorted(sight.log.ends.items()):
        next_offset = stored.next_offsets.get(partition) if stored else None
        begin = sight.log.begins[partition]
        yield PartitionLag(
            partition=partition,
            end=end,
            next_offset=next_offset,
            lag=max(0, end - max(next_offset or 0, begin)) if stored else None,
            consumer=sight.holders.get(partition),
        )


def _late_by(kafka: Seen[KafkaSight], partitions: Sequence[PartitionLag], now: datetime) -> float | None:
    """Return the age of the oldest record that waits, 0 when none does; None where nobody can know."""
    waiting = [it.partition for it in partitions if it.lag]
    if kafka.last is None or any(it.lag is None for it in partitions):
        return None
    if not waiting:
        return 0
    since = [at for partition, at in kafka.last.value.waiting_since.items() if partition in waiting]
    return max(0, now.timestamp() - min(since) / 1000) if since else None


def _rejected(gateways: Sequence[Seen[Rejections]]) -> Iterator[Rejected]:
    known = [seen.last.value for seen in gateways if seen.last]
    totals = sum((Counter({code: int(events) for code, events in each.items()}) for each in known), Counter[str]())
    for code in sorted(set().union(*known)):
        rates = [rate for seen in gateways if (rate := _rate_of(seen, code)) is not None]
        yield Rejected(code=code, events=totals[code], per_s=sum(rates) if rates else None)


def _rate_of(seen: Seen[Rejections], code: str) -> float | None:
    def count(rejections: Mapping[str, float]) -> float:
        return rejections.get(code, 0)

    return seen.rate(count)
