"""The trace that a record belongs to, in its header `traceparent`; no part of its JSON."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from itertools import groupby

from attemptlog.schemas import Envelope

Headers = list[tuple[str, bytes]]  # a record's, as aiokafka takes them

NO_HEADERS: Headers = []  # of every record when tracing is off; nobody changes it
FIELDS = [field.name for field in fields(Envelope)]


@dataclass(slots=True, kw_only=True)
class TracedEnvelope(Envelope):
    """An envelope that is published later, and belongs to the trace of whoever logged it, or to none."""

    traceparent: bytes | None


def traced(envelope: Envelope, traceparent: bytes | None) -> TracedEnvelope:
    """Return the envelope with its trace."""
    return TracedEnvelope(**{name: getattr(envelope, name) for name in FIELDS}, traceparent=traceparent)


def by_trace(
    envelopes: Sequence[Envelope], traceparent: Callable[[], bytes | None] | None
) -> Iterable[tuple[Headers, Iterable[Envelope]]]:
    """Return runs of envelopes with their headers; what has no trace of its own belongs to that of `traceparent`.

    Without `traceparent` that is one run without headers.
    """
    return ((NO_HEADERS, envelopes),) if traceparent is None else _runs(envelopes, traceparent())


def _runs(envelopes: Sequence[Envelope], current: bytes | None) -> Iterator[tuple[Headers, Iterable[Envelope]]]:
    def trace_of(envelope: Envelope) -> bytes | None:
        return envelope.traceparent if isinstance(envelope, TracedEnvelope) else current

    for traceparent, run in groupby(envelopes, trace_of):
        yield NO_HEADERS if traceparent is None else [("traceparent", traceparent)], run
