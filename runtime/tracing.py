"""Whether requests are traced. OpenTelemetry is imported only when they are: an extra brings it."""

import os
from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Annotated, Literal

from prometheus_client import Counter
from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from attemptlog.runtime.extras import MissingExtra, require

if TYPE_CHECKING:
    from attemptlog.runtime.spans import Spans

# One namespace for all of it, and FastAPI brings a part: the extra is there when these are.
MODULES = ("opentelemetry.trace", "opentelemetry.sdk.trace", "opentelemetry.exporter.otlp.proto.http")
KEPT, SENT, FAILED = SPAN_OUTCOMES = ("kept", "sent", "failed")  # the queue drops what is kept and never either
OTLP = {"http/protobuf": "otlp_proto_http", "grpc": "otlp_proto_grpc"}  # exporters by OTEL_EXPORTER_OTLP_PROTOCOL


class TracingSettings(BaseSettings):
    """Whether requests are traced, `ATTEMPTLOG_` in front; all else of it is in OpenTelemetry's own variables."""

    model_config = SettingsConfigDict(env_prefix="ATTEMPTLOG_", extra="ignore", hide_input_in_errors=True)

    tracing: Annotated[
        Literal["off", "on"],
        Field(description="`on`: send spans, and the trace of a request along with its records."),
    ] = "off"

    @field_validator("tracing")
    @classmethod
    def _can_be_done(cls, wanted: str) -> str:
        if wanted == "on":
            try:
                require("tracing", "tracing", *MODULES)
            except MissingExtra as error:
                raise ValueError(str(error).rstrip(".")) from None
            exporters()
        return wanted


def exporters() -> list[EntryPoint]:
    """Return what the environment says that spans go through; raises ValueError for what is not installed."""
    names = os.environ.get("OTEL_TRACES_EXPORTER") or "otlp"
    return [_exporter(name.strip()) for name in names.split(",") if name.strip() != "none"]


def _exporter(name: str) -> EntryPoint:
    if name == "otlp":
        variables = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
        protocol = next((set_ for it in variables if (set_ := os.environ.get(it))), "http/protobuf")
        name = OTLP.get(protocol, protocol)
    for found in entry_points(group="opentelemetry_traces_exporter", name=name):
        return found
    raise ValueError(
        f"no exporter {name} is installed: leave OTEL_TRACES_EXPORTER and OTEL_EXPORTER_OTLP_PROTOCOL out for otlp by "
        "http/protobuf, or install the package of that one"
    )


def spans_of(settings: TracingSettings, service: str, counter: Counter) -> "Spans | None":
    """Return what a service tells of its work by, None when tracing is off; `counter` counts by SPAN_OUTCOMES."""
    if settings.tracing == "off":
        return None
    from attemptlog.runtime.spans import Spans  # noqa: PLC0415

    return Spans(
        service, [it.load()() for it in exporters()], lambda outcome, spans: counter.labels(outcome).inc(spans)
    )


def traceparent_of(settings: TracingSettings) -> Callable[[], bytes | None] | None:
    """Return what tells the trace that the caller works in, None when tracing is off."""
    if settings.tracing == "off":
        return None
    from attemptlog.runtime.trace_context import current_traceparent  # noqa: PLC0415

    return current_traceparent
