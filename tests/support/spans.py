"""Spans as whoever collects them sees them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

from attemptlog.runtime import spans, tracing
from tests.support.eventually import PATIENCE

TRACE_ID, SPAN_ID = 0x4BF92F3577B34DA6A3CE929D0E0E4736, 0x00F067AA0BA902B7


def traceparent(trace_id: int = TRACE_ID, span_id: int = SPAN_ID, *, is_sampled: bool = True) -> str:
    return f"00-{trace_id:032x}-{span_id:016x}-{is_sampled:02x}"


@contextmanager
def current_span(trace_id: int = TRACE_ID, span_id: int = SPAN_ID, *, is_sampled: bool = True) -> Iterator[None]:
    """Work within somebody's span."""
    context = SpanContext(trace_id, span_id, is_remote=False, trace_flags=TraceFlags(is_sampled))
    with trace.use_span(NonRecordingSpan(context)):
        yield


@dataclass(frozen=True)
class Collector:
    """Keeps what the spans of this process are, once they are flushed."""

    exporter: InMemorySpanExporter

    @property
    def spans(self) -> dict[str, ReadableSpan]:
        """The spans by name; one of each."""
        found = {span.name: span for span in self.exporter.get_finished_spans()}
        assert len(found) == len(self.exporter.get_finished_spans())
        return found


@contextmanager
def patient_flush() -> Iterator[None]:
    """Wait for the last spans, however busy the machine is."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(spans, "FLUSH_DEADLINE", timedelta(seconds=PATIENCE))
        yield


def collected(monkeypatch: pytest.MonkeyPatch) -> Collector:
    """Have spans that are made by the settings from here on collected in this process."""
    exporter = InMemorySpanExporter()
    found: Any = SimpleNamespace(load=lambda: lambda: exporter)
    monkeypatch.setattr(tracing, "exporters", lambda: [found])
    return Collector(exporter)
