"""What the OpenAPI document says of POST /v1/telemetry/events, with examples."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from starlette.routing import BaseRoute

from attemptlog.ingest_api.door import INGEST_PATH
from attemptlog.ingest_api.problems import PROBLEMS, MethodNotAllowed, Problem, Unauthenticated, document, reply_of
from attemptlog.schemas import IngestReply, IngestRequest, Rejection

SESSION = "01890a5d-ac96-774b-bcce-b302099a8057"
QUESTION = "01890a5d-ac96-774b-bcce-b302099a8001"
STREAM = "0192f3a1-52c4-4d21-9d3e-8a1f6c0b7e55"

EXAMPLES: dict[str, dict[str, Any]] = {
    "one answer": {
        "source": "web",
        "stream_id": STREAM,
        "sent_at": "2026-03-02T09:14:06.004Z",
        "events": [
            {
                "event_type": "ANSWER_SELECTED",
                "session_id": SESSION,
                "question_id": QUESTION,
                "seq": 7,
                "client_ts": "2026-03-02T09:14:05.123Z",
                "payload": {"choice": 2, "pos": 4},
            }
        ],
    },
    "window lost and regained focus": {
        "source": "web",
        "events": [
            {"event_type": "PAUSE_BLUR", "session_id": SESSION, "seq": 8, "payload": {"state": "blur"}},
            {"event_type": "PAUSE_BLUR", "session_id": SESSION, "seq": 9, "payload": {"state": "focus"}},
        ],
    },
}


class ProblemDocument(BaseModel):
    """An error (RFC 9457); the counts are there where a batch was read."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    accepted: int | None = None
    rejected: int | None = None
    rejected_reasons_sample: list[Rejection] | None = None


def _request_schema() -> dict[str, Any]:
    """Return the schema of a batch with the event inlined: a reference to `$defs` would not resolve in OpenAPI."""
    schema = IngestRequest.model_json_schema()
    schema["properties"]["events"]["items"] = schema.pop("$defs")["EventIn"]
    return schema


def _example(kind: type[Problem]) -> dict[str, object]:
    rejection = Rejection(index=0, code="session_not_owned", message="no such session of this user")
    reply = reply_of(0, [rejection]) if kind.status in {400, 403} else None
    return document(kind((kind.__doc__ or "").strip(), reply=reply))


def _responses() -> dict[int | str, dict[str, Any]]:
    answers: dict[int | str, dict[str, Any]] = {
        202: {"model": IngestReply, "description": "At least one event accepted, and durable in Kafka."}
    }
    for kind in PROBLEMS:
        described = answers.setdefault(
            kind.status.value,
            {"model": ProblemDocument, "description": "", "content": {"application/problem+json": {"examples": {}}}},
        )
        described["description"] = f"{described['description']} {(kind.__doc__ or '').strip()}".strip()
        described["content"]["application/problem+json"]["examples"][kind.code] = {"value": _example(kind)}
    for status in (429, 503):
        answers[status]["headers"] = {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds."}}
    answers[MethodNotAllowed.status.value]["headers"] = {"Allow": {"schema": {"type": "string"}}}
    answers[Unauthenticated.status.value]["headers"] = {"WWW-Authenticate": {"schema": {"type": "string"}}}
    return answers


REQUEST: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": _request_schema(),
                "examples": {name: {"value": value} for name, value in EXAMPLES.items()},
            }
        },
    },
    "security": [{"bearer": []}, {"cookie": []}],
}

SECURITY_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
    "cookie": {"type": "apiKey", "in": "cookie", "name": "access_token"},
}

described = APIRouter()


@described.post(
    INGEST_PATH,
    status_code=HTTPStatus.ACCEPTED,
    response_model=None,
    responses=_responses(),
    openapi_extra=REQUEST,
)
def ingest() -> None:
    """Take a batch of events of the caller's own sessions; one bad event never fails its neighbours."""


def openapi_document(title: str, version: str, routes: Sequence[BaseRoute]) -> dict[str, Any]:
    """Describe the door, which is no route of FastAPI's, and the routes."""
    document = get_openapi(title=title, version=version, routes=[*described.routes, *routes])
    document.setdefault("components", {})["securitySchemes"] = SECURITY_SCHEMES
    return document
