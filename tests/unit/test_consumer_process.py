"""Settings and log lines of the consumer."""

import json
import logging

import pytest
from pydantic import ValidationError

from attemptlog.consumer.settings import ConsumerSettings
from attemptlog.runtime.logs import JsonLines, Unrepeated

SECRET = "not-for-anybody"


def line(name: str = "consumer", message: str = "batch stored", **extra: object) -> logging.LogRecord:
    return logging.makeLogRecord({"name": name, "msg": message, "levelname": "INFO", **extra})


def test_every_setting_is_described() -> None:
    assert all(field.description for field in ConsumerSettings.model_fields.values())


def test_a_connection_string_is_never_shown() -> None:
    settings = ConsumerSettings(kafka_bootstrap_servers="k:9092", database_url=f"postgresql://u:{SECRET}@h/d")
    assert SECRET not in repr(settings)
    with pytest.raises(ValidationError, match="is not a PostgreSQL URL") as raised:
        ConsumerSettings(kafka_bootstrap_servers="k:9092", database_url=f"{SECRET} @h/d")
    assert SECRET not in str(raised.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("consumer_session_timeout", "5.9"),
        ("consumer_session_timeout", "1801"),
        ("consumer_group", "g" * 250),
        ("consumer_instance_id", "i" * 250),
    ],
)
def test_what_kafka_would_refuse_for_ever_is_refused_at_once(name: str, value: str) -> None:
    with pytest.raises(ValidationError, match=name):
        ConsumerSettings.model_validate(
            {"kafka_bootstrap_servers": "k:9092", "database_url": "postgresql://h/d", name: value}
        )


def test_a_log_line_is_a_json_object_with_the_data_beside_the_sentence() -> None:
    shown = json.loads(JsonLines().format(line(inserted=480, next_offsets={3: 9})))
    assert shown.pop("time")
    assert shown == {
        "level": "info",
        "logger": "consumer",
        "message": "batch stored",
        "inserted": 480,
        "next_offsets": {"3": 9},
    }


@pytest.mark.parametrize("client", ["aiokafka", "opentelemetry.exporter.otlp.proto.http.trace_exporter"])
def test_a_client_says_a_thing_once_in_a_while_and_the_consumer_whenever_it_wants(client: str) -> None:
    lets_through = Unrepeated().filter
    assert [lets_through(line(client, "cannot connect to %s")) for _ in range(3)] == [True, False, False]
    assert lets_through(line(client, "something else"))
    assert all(lets_through(line()) for _ in range(3))


def traced(error: BaseException) -> str:
    record = line(exc_info=(type(error), error, error.__traceback__))
    return str(json.loads(JsonLines().format(record))["exception"])


def test_a_traceback_has_every_frame_and_of_each_message_the_first_line() -> None:
    try:
        try:
            raise ValueError(f"refused\nDETAIL:  Failing row contains ({SECRET}).")
        except ValueError as cause:
            raise ExceptionGroup("tasks", [cause, KeyError("x")]) from cause
    except ExceptionGroup as error:
        shown = traced(error)
    assert "ValueError: refused" in shown
    assert "KeyError: 'x'" in shown
    assert shown.count(f'File "{__file__}"') == 3
    assert "direct cause" in shown
    assert SECRET not in shown
