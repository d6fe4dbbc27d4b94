"""A batch as a span, from the head of its request to its answer, and the sending within it; only when tracing is on."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from attemptlog.ingest_api.intake import Publish
from attemptlog.runtime.headers import headers_of
from attemptlog.schemas import Envelope

if TYPE_CHECKING:
    from attemptlog.runtime.spans import Spans


class TracedDoor:
    """The door, each of whose POSTs is a span in the trace that the request names, or in one of its own."""

    def __init__(self, door: ASGIApp, route: str, spans: "Spans") -> None:
        self._door = door
        self._route = route
        self._spans = spans

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request; see the ASGI specification."""
        if scope["method"] != "POST":
            await self._door(scope, receive, send)
            return
        traceparent = headers_of(scope["headers"]).get(b"traceparent")
        with self._spans.serving(self._route, scope["scheme"], traceparent) as answered:

            async def tell(message: Message) -> None:
                if message["type"] == "http.response.start":
                    answered(message["status"])
                await send(message)

            await self._door(scope, receive, tell)


def sending(publish: Publish, topic: str, spans: "Spans") -> Publish:
    """Return `publish`, each call of which is a span."""

    async def traced(envelopes: Sequence[Envelope]) -> None:
        with spans.sending(topic, len(envelopes)):
            await publish(envelopes)

    return traced
