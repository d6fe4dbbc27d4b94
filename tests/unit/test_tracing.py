"""Tracing is off unless it is turned on, and what it lacks then is told in a sentence."""

from collections.abc import Mapping
from functools import partial

import pytest
from pydantic import ValidationError

from attemptlog.publisher import EventLogger, KafkaPublisher, MemoryPublisher
from attemptlog.runtime import extras
from attemptlog.runtime.tracing import TracingSettings, exporters


def test_it_is_off_unless_it_is_turned_on(monkeypatch: pytest.MonkeyPatch) -> None:
    assert TracingSettings().tracing == "off"
    monkeypatch.setenv("ATTEMPTLOG_TRACING", "on")
    assert TracingSettings().tracing == "on"
    monkeypatch.setenv("ATTEMPTLOG_TRACING", "yes")
    with pytest.raises(ValidationError, match="'off' or 'on'"):
        TracingSettings()


@pytest.mark.parametrize(
    ("hidden", "missing"),
    [
        ("opentelemetry.sdk", "opentelemetry.sdk.trace"),
        ("opentelemetry.exporter", "opentelemetry.exporter.otlp.proto.http"),
        ("opentelemetry", "opentelemetry.trace, opentelemetry.sdk.trace, opentelemetry.exporter.otlp.proto.http"),
    ],
)
def test_where_the_extra_is_missing_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, hidden: str, missing: str
) -> None:
    def find(name: str) -> object:
        if name.startswith(hidden):
            raise ModuleNotFoundError(name)
        return object()

    monkeypatch.setattr(extras, "find_spec", find)
    monkeypatch.setenv("ATTEMPTLOG_TRACING", "on")
    for make in (TracingSettings, partial(KafkaPublisher, "kafka:9092"), partial(EventLogger, MemoryPublisher())):
        with pytest.raises(ValueError, match=rf"tracing needs {missing}: run pip install 'attemptlog\[tracing\]'"):
            make()
    monkeypatch.setenv("ATTEMPTLOG_TRACING", "off")
    KafkaPublisher("kafka:9092")


@pytest.mark.parametrize(
    ("environment", "missing"),
    [
        ({"OTEL_TRACES_EXPORTER": "smoke"}, "smoke"),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "smoke"}, "smoke"),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "otlp_proto_grpc"),
        ({"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "smoke", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, "smoke"),
        ({"OTEL_TRACES_EXPORTER": "otlp,smoke"}, "smoke"),
    ],
)
def test_an_exporter_that_is_not_installed_is_told_at_the_start(
    monkeypatch: pytest.MonkeyPatch, environment: Mapping[str, str], missing: str
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match=f"no exporter {missing} is installed"):
        TracingSettings(tracing="on")


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("", ["otlp_proto_http"]),
        ("otlp", ["otlp_proto_http"]),
        ("none", []),
        ("console", ["console"]),
        ("console, otlp", ["console", "otlp_proto_http"]),
    ],
)
def test_spans_go_where_the_environment_says(monkeypatch: pytest.MonkeyPatch, said: str, found: list[str]) -> None:
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", said)
    assert [it.name for it in exporters()] == found
