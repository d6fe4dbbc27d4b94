"""A collector of traces on a real socket, which takes OTLP over HTTP as OpenTelemetry's does."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass(frozen=True)
class CollectedSpan:
    """What arrived of a span; `links` are the ids of the spans that it links to."""

    service: str
    name: str
    trace: str
    span: str
    parent: str
    links: frozenset[str]
    text: str


@dataclass
class OtlpCollector:
    """Where spans go that are sent to `url`."""

    url: str
    spans: list[CollectedSpan] = field(default_factory=list)

    def named(self, name: str, trace: str) -> CollectedSpan | None:
        """Return the span of a trace that has this name, None while it has not come."""
        return next((it for it in self.spans if (it.name, it.trace) == (name, trace)), None)

    def linked_to(self, span: str) -> CollectedSpan | None:
        """Return a span that links to another one."""
        return next((it for it in self.spans if span in it.links), None)

    def take(self, body: bytes) -> None:
        """Keep the spans of a request."""
        for group in ExportTraceServiceRequest.FromString(body).resource_spans:
            [service] = [it.value.string_value for it in group.resource.attributes if it.key == "service.name"]
            self.spans += [
                CollectedSpan(
                    service,
                    span.name,
                    span.trace_id.hex(),
                    span.span_id.hex(),
                    span.parent_span_id.hex(),
                    frozenset(link.span_id.hex() for link in span.links),
                    str(span),
                )
                for scope in group.scope_spans
                for span in scope.spans
            ]


@contextmanager
def collecting() -> Iterator[OtlpCollector]:
    """Run a collector."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            collector.take(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        collector = OtlpCollector(f"http://127.0.0.1:{server.server_port}")
        Thread(target=server.serve_forever, daemon=True).start()
        yield collector
        server.shutdown()
