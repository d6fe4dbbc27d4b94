"""What serves a request: built once per process by `create_app`, handed over by its lifespan."""

from dataclasses import dataclass
from typing import TypedDict, cast

from fastapi import Request
from prometheus_client import CollectorRegistry
from psycopg_pool import AsyncConnectionPool

from examples.exam_platform.sessions.attempts import Attempts
from examples.exam_platform.sessions.candidates import Candidates
from examples.exam_platform.sessions.models import Config
from examples.exam_platform.sessions.tokens import Tokens


@dataclass(frozen=True, slots=True)
class Services:
    """Everything the routes use."""

    attempts: Attempts
    candidates: Candidates
    config: Config
    console_url: str | None
    pool: AsyncConnectionPool
    registry: CollectorRegistry
    tokens: Tokens


class State(TypedDict):
    """What the lifespan yields; Starlette puts it on every request."""

    services: Services


def services(request: Request) -> Services:
    """Return the services of the process that serves this request."""
    return cast("Services", request.state.services)
