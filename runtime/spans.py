"""What a service tells of its work, as OpenTelemetry's spans: they name no person, no session and no payload."""

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from threading import Thread
from typing import Self

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import Sampler, SamplingResult
from opentelemetry.trace import Link, NonRecordingSpan, Span, SpanKind, StatusCode, TraceState
from opentelemetry.util.types import Attributes
from typing_extensions import override

from attemptlog.runtime.trace_context import context_of
from attemptlog.runtime.tracing import FAILED, KEPT, SENT

MAX_LINKS = 128  # of a span: OpenTelemetry's own default, over which its SDKs would drop the first ones
FLUSH_DEADLINE = timedelta(seconds=1)  # for the last spans: a stop has a few seconds for all, and these are worth least
SERVER_ERROR = 500

Count = Callable[[str, int], None]  # an outcome, and how many spans had it; called on any thread


class Spans:
    """Makes spans between entering and leaving. Sampling, limits, queue and address are OpenTelemetry's `OTEL_…`.

    Spans wait in a queue of bounded size for a thread that sends them; what is over is dropped, and nobody waits.
    """

    def __init__(self, service: str, exporters: Sequence[SpanExporter], count: Count) -> None:
        self._exporters = exporters
        self._count = count
        self._provider = TracerProvider(resource=_resource(service), shutdown_on_exit=False)
        self._provider.sampler = _AsLinked(self._provider.sampler)
        self._tracer = self._provider.get_tracer("attemptlog")

    async def __aenter__(self) -> Self:
        for each in self._exporters:
            self._provider.add_span_processor(_Counting(_CountingExporter(each, self._count), self._count))
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """Send what is left, within FLUSH_DEADLINE; a collector that does not answer would take half a minute."""
        flushing = Thread(target=self._provider.shutdown, name="last spans", daemon=True)
        flushing.start()
        await asyncio.to_thread(flushing.join, FLUSH_DEADLINE.total_seconds())

    @contextmanager
    def serving(self, route: str, scheme: str, traceparent: bytes | None) -> Iterator[Callable[[int], None]]:
        """Have a POST be a span, in the trace that its header names; yield what is to be told the status."""
        attributes = {"http.request.method": "POST", "http.route": route, "url.path": route, "url.scheme": scheme}
        with self._span(f"POST {route}", SpanKind.SERVER, attributes, context_of(traceparent)) as span:
            yield lambda status: _answered(span, status)

    @contextmanager
    def sending(self, topic: str, records: int) -> Iterator[None]:
        """Have what is sent to Kafka be a span within the current one."""
        with self._span(f"send {topic}", SpanKind.PRODUCER, _messaging("send", topic, records)) as span:
            try:
                yield
            except Exception as error:
                span.set_attribute("error.type", type(error).__name__)
                span.set_status(StatusCode.ERROR)
                raise

    def stored(
        self, topic: str, records: int, traceparents: Iterable[bytes], seconds: float, outcomes: Mapping[str, int]
    ) -> None:
        """Have a batch that is stored, `seconds` after it was read, be a span with links to the records' traces.

        There is none when no record was sampled. More than MAX_LINKS traces are linked to from all over the batch;
        how many are left off is an attribute.
        """
        named = list(dict.fromkeys(traceparents))
        if not (links := [*_links(_spread(named, MAX_LINKS))]):
            return
        counts = {f"attemptlog.{name}": count for name, count in outcomes.items()}
        counts["attemptlog.links_left_off"] = max(0, len(named) - MAX_LINKS)
        ended = time.time_ns()
        self._tracer.start_span(
            f"store {topic}",
            Context(),
            SpanKind.CONSUMER,
            {**_messaging("store", topic, records), **counts},
            links,
            ended - int(seconds * 1e9),
        ).end(ended)

    def _span(
        self, name: str, kind: SpanKind, attributes: Mapping[str, str | int], context: Context | None = None
    ) -> AbstractContextManager[Span]:
        # the message of an exception may hold what is no business of a collector's
        return self._tracer.start_as_current_span(
            name, context, kind, attributes, record_exception=False, set_status_on_exception=False
        )


class _Counting(BatchSpanProcessor):
    """Counts the spans that are kept."""

    def __init__(self, exporter: SpanExporter, count: Count) -> None:
        super().__init__(exporter)
        self._count = count

    @override
    def on_end(self, span: ReadableSpan) -> None:
        self._count(KEPT, 1)
        super().on_end(span)


class _CountingExporter(SpanExporter):
    """Counts the spans that are sent, and those that are not."""

    def __init__(self, exporter: SpanExporter, count: Count) -> None:
        self._exporter = exporter
        self._count = count

    @override
    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = self._exporter.export(spans)
        self._count(SENT if result is SpanExportResult.SUCCESS else FAILED, len(spans))
        return result

    @override
    def shutdown(self) -> None:
        self._exporter.shutdown()


class _AsLinked(Sampler):
    """Decides on a span with links as on a child of the first one: a batch is shown where one of its records is."""

    def __init__(self, sampler: Sampler) -> None:
        self._sampler = sampler

    @override
    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        if links:
            first = links[0].context
            parent_context, trace_id = trace.set_span_in_context(NonRecordingSpan(first)), first.trace_id
        return self._sampler.should_sample(parent_context, trace_id, name, kind, attributes, links, trace_state)

    @override
    def get_description(self) -> str:
        return f"AsLinked{{{self._sampler.get_description()}}}"


def _resource(service: str) -> Resource:
    """Return what the environment says that we are; the service's name is ours where it says none."""
    told = Resource.create()
    is_named = not str(told.attributes[SERVICE_NAME]).startswith("unknown_service")
    return told if is_named else told.merge(Resource({SERVICE_NAME: service}))


def _messaging(operation: str, topic: str, records: int) -> dict[str, str | int]:
    """Return attributes by OpenTelemetry's conventions for messaging."""
    return {
        "messaging.system": "kafka",
        "messaging.operation.name": operation,
        "messaging.operation.type": "process" if operation == "store" else operation,
        "messaging.destination.name": topic,
        "messaging.batch.message_count": records,
    }


def _answered(span: Span, status: int) -> None:
    span.set_attribute("http.response.status_code", status)
    if status >= SERVER_ERROR:
        span.set_status(StatusCode.ERROR)


def _spread(named: Sequence[bytes], most: int) -> Sequence[bytes]:
    """Return all, or `most` from all over: the first ones would be those of one partition."""
    if len(named) <= most:
        return named
    return [named[number * len(named) // most] for number in range(most)]


def _links(traceparents: Iterable[bytes]) -> Iterator[Link]:
    for each in traceparents:
        context = trace.get_current_span(context_of(each)).get_span_context()
        if context.is_valid and context.trace_flags.sampled:
            yield Link(context)
