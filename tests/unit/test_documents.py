from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from attemptlog.schemas import EVENT_TYPES, Envelope, IngestRequest, Malformed, decode
from attemptlog.schemas.documents import PAYLOAD_EXAMPLES, asyncapi, envelope_schema, ingest_request_schema

TEXTS_OF_AN_EXAM = {"text", "question", "answer", "body", "title"}


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def resolve(document: Any, reference: str) -> Any:
    assert reference.startswith("#/")
    for part in reference.removeprefix("#/").split("/"):
        document = document[part]
    return document


@pytest.mark.parametrize("document", [envelope_schema(), ingest_request_schema(), asyncapi()])
def test_every_reference_resolves(document: dict[str, Any]) -> None:
    assert all(resolve(document, reference) is not None for reference in references(document))


@pytest.mark.parametrize("schema", [envelope_schema(), ingest_request_schema()])
def test_schemas_name_their_dialect_and_forbid_what_they_do_not_know(schema: dict[str, Any]) -> None:
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["$id"].startswith("urn:")
    assert schema["additionalProperties"] is False


def test_the_envelope_has_the_fields_of_the_codec_in_their_order() -> None:
    assert list(envelope_schema()["properties"]) == list(Envelope.__slots__)


def test_every_example_of_an_envelope_is_one() -> None:
    examples = envelope_schema()["examples"]

    assert [decode(orjson.dumps(example)).event_type for example in examples] == list(EVENT_TYPES)


def test_the_example_of_a_request_is_valid_as_a_whole() -> None:
    [example] = ingest_request_schema()["examples"]

    events = IngestRequest.model_validate_json(orjson.dumps(example)).events

    assert len(events) == len(EVENT_TYPES)
    assert not any(isinstance(event, Malformed) for event in events)


def test_a_payload_is_an_object_by_default_too() -> None:
    assert envelope_schema()["properties"]["payload_json"]["default"] == {}


def test_every_event_type_has_a_payload_example_without_the_text_of_an_exam() -> None:
    assert set(PAYLOAD_EXAMPLES) == set(EVENT_TYPES)
    for payload in PAYLOAD_EXAMPLES.values():
        assert not payload.keys() & TEXTS_OF_AN_EXAM
        assert all(isinstance(value, int) or value in ("blur", "focus") for value in payload.values())


def test_asyncapi_describes_the_topic_its_key_and_who_sends_and_receives() -> None:
    document = asyncapi()

    channel = document["channels"]["attemptEvents"]
    message = resolve(document, channel["messages"]["envelope"]["$ref"])
    assert document["asyncapi"].startswith("3.")
    assert channel["address"] == "attempt-events.v1"
    assert channel["bindings"]["kafka"]["partitions"] == 12
    assert message["bindings"]["kafka"]["key"] == {"type": "string", "format": "uuid"}
    assert {operation["action"] for operation in document["operations"].values()} == {"send", "receive"}
    assert [example["name"] for example in message["examples"]] == list(EVENT_TYPES)
