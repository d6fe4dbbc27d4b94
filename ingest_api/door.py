"""The door of the gateway: the one way of a batch, from the head of its request to its answer."""

import logging
import time
from functools import lru_cache
from http import HTTPStatus

from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from attemptlog.ingest_api.answers import not_served
from attemptlog.ingest_api.body import read_body
from attemptlog.ingest_api.efforts import efforts_of
from attemptlog.ingest_api.parsing import parse
from attemptlog.ingest_api.problems import CALLER_LEFT, Broken, Problem, answer, as_problem, reply_of
from attemptlog.ingest_api.services import Services
from attemptlog.ingest_api.wire import AtOnce
from attemptlog.runtime.headers import headers_of, token_of
from attemptlog.runtime.token_errors import KeysUnavailable, TokenRefused
from attemptlog.schemas import MAX_EVENTS_PER_BATCH, IngestReply

INGEST_PATH = "/v1/telemetry/events"
CALLER = "attemptlog.caller"  # in the ASGI scope: who calls, once that is known

logger = logging.getLogger(__name__)


class Door:
    """The ASGI application at INGEST_PATH. It answers whatever happens; batches are counted and timed."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request; see the ASGI specification."""
        if scope["method"] != "POST":
            await not_served(scope["method"], {"POST"})(scope, receive, send)
            return
        started = time.perf_counter()
        response = await self._answer(scope, receive)
        await response(scope, receive, send)
        self._services.metrics.count_answer(response.status_code, time.perf_counter() - started)

    async def _answer(self, scope: Scope, receive: Receive) -> Response:
        try:
            reply = await self._take(scope, receive)
        except (Problem, TokenRefused, KeysUnavailable) as error:
            return self._refusal(as_problem(error), scope.get(CALLER))
        except ClientDisconnect:
            return Response(status_code=CALLER_LEFT)  # nobody listens
        except Exception:
            logger.exception("a request failed", extra={"action": "request_failed"})
            return answer(Broken("a fault of the gateway; send the same batch again later"))
        return _taken(reply) if reply.rejected else _all_taken(reply.accepted)

    async def _take(self, scope: Scope, receive: Receive) -> IngestReply:
        of, headers = self._services, headers_of(scope["headers"])
        with of.gate.place_for(headers) as place:
            caller = await of.authenticator.caller(token_of(headers), time.time())
            scope[CALLER] = caller.user_id
            place.belongs_to(caller.user_id)
            body = await read_body(scope, receive, headers, of.body_limits, place.take)
            place.body_has_arrived()
            reply = await of.intake.take(parse(body), caller)
        of.metrics.count_efforts(efforts_of(headers))
        return reply

    def _refusal(self, problem: Problem, user_id: str | None) -> Response:
        """Have it told whose request is refused; of a batch that could be read, the intake has done so."""
        if problem.reply is None and problem.status < HTTPStatus.INTERNAL_SERVER_ERROR:
            self._services.refusals.note(problem.code, user_id)
        return answer(problem)


def _taken(reply: IngestReply) -> Response:
    return AtOnce(reply.model_dump_json(), HTTPStatus.ACCEPTED, "application/json")


@lru_cache(MAX_EVENTS_PER_BATCH)
def _all_taken(accepted: int) -> Response:
    """The usual answers, made once: a response is not changed by being sent."""
    return _taken(reply_of(accepted, []))
