"""A stored batch as a span that links to the traces of its records; only when tracing is on."""

from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING

from attemptlog.consumer.metrics import outcomes_of
from attemptlog.event_store.decoding import Batch
from attemptlog.event_store.store import Stored

if TYPE_CHECKING:
    from attemptlog.runtime.spans import Spans


def tell(spans: "Spans", topic: str, batch: Batch, stored: Stored, seconds: float) -> None:
    """Have a batch be a span that ends now and began `seconds` ago."""
    spans.stored(topic, len(batch), _traceparents(batch), seconds, outcomes_of(stored))


def _traceparents(batch: Batch) -> Iterator[bytes]:
    for record in chain((row.record for row in batch.rows), (letter.record for letter in batch.undecodable)):
        headers: tuple[tuple[str, bytes | None], ...] = getattr(record, "headers", ())  # aiokafka's have them
        for name, value in headers:
            if name == "traceparent" and value is not None:
                yield value
