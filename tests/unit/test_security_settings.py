"""Settings that would leave a door open are refused, and none shows a secret."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from attemptlog.consumer.settings import ConsumerSettings
from attemptlog.ingest_api.settings import IngestSettings
from attemptlog.runtime.kafka import KafkaSecurity
from attemptlog.runtime.settings import OperatorSettings
from tests.support.certificates import Authority

SECRET = "nobody-may-read-this-and-it-is-long-enough"
SETTINGS = (IngestSettings, ConsumerSettings, OperatorSettings)
GIVEN = {
    "kafka_bootstrap_servers": "kafka:9092",
    "database_url": f"postgresql://user:{SECRET}@host/database",
    "jwt_secret": SECRET,
    "kafka_security_protocol": "SASL_SSL",
    "kafka_username": "services",
    "kafka_password": SECRET,
}


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"kafka_security_protocol": "SASL_SSL"}, "set ATTEMPTLOG_KAFKA_USERNAME and ATTEMPTLOG_KAFKA_PASSWORD"),
        ({"kafka_security_protocol": "SASL_SSL", "kafka_username": "x", "kafka_password": ""}, "set ATTEMPTLOG_KAFKA_"),
        ({"kafka_username": "x", "kafka_password": "y"}, "PLAINTEXT, which has no login"),
        ({"kafka_security_protocol": "SSL", "kafka_password": "y"}, "SSL, which has no login"),
        ({"kafka_ca_file": __file__}, "PLAINTEXT, which has no TLS"),
        ({"kafka_security_protocol": "SSL", "kafka_ca_file": "nosuch.pem"}, "does not point to a file"),
        ({"kafka_security_protocol": "SSL", "kafka_ca_file": __file__}, f"TLS cannot be set up with {__file__}"),
        ({"kafka_security_protocol": "SSL", "kafka_client_cert_file": __file__}, "TLS cannot be set up"),
        (
            {"kafka_security_protocol": "SSL", "kafka_client_key_file": __file__},
            "set ATTEMPTLOG_KAFKA_CLIENT_CERT_FILE",
        ),
        ({"kafka_security_protocol": "TLS"}, "Input should be 'PLAINTEXT', 'SSL'"),
    ],
)
def test_kafka_settings_that_do_not_fit_together_are_refused(settings: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError) as raised:
        KafkaSecurity.model_validate(settings)
    assert told in str(raised.value)


def test_a_certificate_and_its_key_may_be_in_one_file_or_in_two(tmp_path: Path) -> None:
    both = Authority("the authority").write_key_and_certificate(tmp_path / "both.pem", "client")
    for key in (None, both):
        security = KafkaSecurity(kafka_security_protocol="SSL", kafka_client_cert_file=both, kafka_client_key_file=key)
        assert security.client_arguments()["ssl_context"].check_hostname


def test_every_origin_at_once_is_refused_because_a_cookie_would_go_with_its_requests() -> None:
    with pytest.raises(ValidationError, match="must name origins"):
        IngestSettings.model_validate(GIVEN | {"cors_origins": "https://exam.example, *"})


@pytest.mark.parametrize(
    "origin",
    [
        "http://localhost:5173/",
        "localhost:5173",
        "https://Exam.example",
        "https://exam.example:443",
        "https://exam.example/exam",
        "null",
    ],
)
def test_what_is_no_origin_as_browsers_write_it_is_refused_because_it_would_match_none(origin: str) -> None:
    with pytest.raises(ValidationError, match=r"is no origin .* as http://localhost:5173"):
        IngestSettings.model_validate(GIVEN | {"cors_origins": origin})


def test_origins_of_pages_and_of_apps_are_taken() -> None:
    origins = ["http://localhost:5173", "https://exam.example", "http://[::1]:8080", "capacitor://localhost"]
    assert IngestSettings.model_validate(GIVEN | {"cors_origins": ",".join(origins)}).cors_origins == origins


@pytest.mark.parametrize("kind", SETTINGS)
def test_a_secret_is_shown_neither_by_settings_nor_by_their_errors(kind: type[KafkaSecurity]) -> None:
    assert SECRET not in repr(kind.model_validate(GIVEN))
    for wrong in ({"kafka_security_protocol": "SSL"}, {"kafka_sasl_mechanism": SECRET}, {"topic": None}):
        with pytest.raises(ValidationError) as raised:
            kind.model_validate(GIVEN | wrong)
        assert SECRET not in str(raised.value)


@pytest.mark.parametrize("kind", [IngestSettings, ConsumerSettings])
def test_a_database_url_that_cannot_be_read_is_refused_without_being_repeated(kind: type[KafkaSecurity]) -> None:
    with pytest.raises(ValidationError, match="is not a PostgreSQL URL") as raised:
        kind.model_validate(GIVEN | {"database_url": f"postgresql//user:{SECRET}@host/database"})
    assert SECRET not in str(raised.value)


@pytest.mark.parametrize("port", ["abc", "0", "65536", "5432,x", "%D9%A1"])
@pytest.mark.parametrize("kind", [IngestSettings, ConsumerSettings])
def test_a_database_url_whose_port_is_no_number_is_refused(kind: type[KafkaSecurity], port: str) -> None:
    with pytest.raises(ValidationError, match="has a port that is not a number from 1 to 65535"):
        kind.model_validate(GIVEN | {"database_url": f"postgresql://user@/database?host=a,b&port={port}"})
    several = {"database_url": "postgresql://a:5432,b:5433,c/database"}
    assert kind.model_validate(GIVEN | several)


def test_what_up_was_given_for_kafka_is_left_to_the_other_commands() -> None:
    settings = OperatorSettings.model_validate(GIVEN)
    assert settings.kafka_security == {
        "KAFKA_PASSWORD": SECRET,
        "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
        "KAFKA_USERNAME": "services",
    }
