"""Names and addresses of Kafka that cannot be right are told at the start, in a sentence."""

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError
from typer.testing import CliRunner

from attemptlog.cli.app import app
from attemptlog.consumer.settings import ConsumerSettings
from attemptlog.ingest_api.settings import IngestSettings
from attemptlog.publisher import KafkaPublisher
from attemptlog.runtime.kafka import BootstrapServers
from attemptlog.runtime.settings import OperatorSettings
from attemptlog.schemas.topics import TopicName
from examples.exam_platform.sessions.settings import PlatformSettings

SETTINGS = (IngestSettings, ConsumerSettings, OperatorSettings, PlatformSettings)
GIVEN = {"kafka_bootstrap_servers": "kafka:9092", "database_url": "postgresql://h/d", "jwt_secret": "s" * 32}
WRONG_ADDRESSES = [
    "",
    " ",
    ",",
    "kafka",
    "kafka:",
    "kafka:abc",
    ":9092",
    "kafka:0",
    "kafka:99999",
    "kafka:-1",
    "kafka:٩٠٩٢",
    "kafka:90 92",
    "kaf ka:9092",
    "kafka:9092,",
    ",kafka:9092",
    "kafka:9092,,other:9092",
    "kafka:9092;other:9092",
    "kafka://h:1",
    "PLAINTEXT://user:pass-word@h:1",
    "::1:9092",
    "[::1]",
    "[::1]:",
    "[kafka]:9092",
    "[]:9092",
    "kafka:9092\nother:9092",
]
WRONG_TOPICS = ["", " ", "a b", "a/b", ".", "..", "a" * 250, "thème", "topic\n", "a,b", "__consumer_offsets"]


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("addresses", WRONG_ADDRESSES)
def test_an_address_that_no_client_could_use_is_refused(settings: Any, addresses: str) -> None:
    with pytest.raises(ValidationError) as raised:
        settings(**GIVEN | {"kafka_bootstrap_servers": addresses})
    assert "pass-word" not in str(raised.value)


@pytest.mark.parametrize("addresses", [it for it in WRONG_ADDRESSES if it.strip()])
def test_a_publisher_cannot_be_made_with_such_an_address(addresses: str) -> None:
    with pytest.raises(ValueError, match="is not host:port"):
        KafkaPublisher(addresses)


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        ("kafka:9092", "kafka:9092"),
        (" kafka-1:9092 , kafka_2.example:65535 ", "kafka-1:9092,kafka_2.example:65535"),
        ("127.0.0.1:1", "127.0.0.1:1"),
        ("[::1]:9092,[2001:db8::2]:9093", "[::1]:9092,[2001:db8::2]:9093"),
    ],
)
def test_addresses_are_taken_without_the_spaces_around_them(text: str, addresses: str) -> None:
    assert TypeAdapter(BootstrapServers).validate_python(text) == addresses


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("topic", WRONG_TOPICS)
def test_a_topic_that_kafka_would_not_take_is_refused(settings: Any, topic: str) -> None:
    with pytest.raises(ValidationError):
        settings(**GIVEN | {"topic": topic})


def test_a_publisher_cannot_be_made_for_such_a_topic() -> None:
    with pytest.raises(ValueError, match="is not a topic's name"):
        KafkaPublisher("kafka:9092", topic="a b")


@pytest.mark.parametrize("name", ["attempt-events.v1", "a" * 249, "A_b.c-9", "..."])
def test_every_name_that_kafka_takes_is_taken(name: str) -> None:
    assert TypeAdapter(TopicName).validate_python(name) == name


@pytest.mark.parametrize("settings", SETTINGS[:3])
@pytest.mark.parametrize("name", ["topic", "database_url", "kafka_bootstrap_servers", "kafka_username"])
def test_a_variable_that_nobody_filled_in_is_named(settings: Any, name: str) -> None:
    with pytest.raises(ValidationError, match=f"set ATTEMPTLOG_{name.upper()}, or leave it out: it is empty"):
        settings(**GIVEN | {name: " "})


def test_no_origin_is_a_list_that_may_be_empty() -> None:
    assert IngestSettings.model_validate(GIVEN | {"cors_origins": ""}).cors_origins == []


@pytest.mark.parametrize("command", ["ingest", "consume", "audit", "topics", "doctor", "simulate", "up", "demo"])
@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("KAFKA_BOOTSTRAP_SERVERS", "kafka:abc", "ATTEMPTLOG_KAFKA_BOOTSTRAP_SERVERS: address 1 of 1 is not host:port"),
        ("TOPIC", "a b", "ATTEMPTLOG_TOPIC: is not a topic's name"),
    ],
)
def test_every_command_ends_with_a_sentence_and_status_1(
    command: str, variable: str, value: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, given in (GIVEN | {variable.lower(): value}).items():
        monkeypatch.setenv(f"ATTEMPTLOG_{name.upper()}", given)
    result = CliRunner().invoke(app, [command])
    assert result.exit_code == 1
    assert told in " ".join(result.output.split())
    assert "Traceback" not in result.output
