"""A place in a trace, as the header `traceparent` says it: W3C Trace Context, level 1."""

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

TRACEPARENT = "traceparent"
MAX_BYTES = 512  # what the propagator reads; it would log a warning for each that is longer

_propagator = TraceContextTextMapPropagator()


def context_of(traceparent: bytes | None) -> Context:
    """Return the context that a header names: an empty one without a header, and for one that is malformed."""
    if traceparent is None or len(traceparent) > MAX_BYTES:
        return Context()
    return _propagator.extract({TRACEPARENT: traceparent.decode("latin-1")}, Context())


def current_traceparent() -> bytes | None:
    """Return the header for the caller's current span; None when there is none, or it is not sampled."""
    span = trace.get_current_span().get_span_context()
    if not (span.is_valid and span.trace_flags.sampled):
        return None
    carrier: dict[str, str] = {}
    _propagator.inject(carrier)
    return carrier[TRACEPARENT].encode()
