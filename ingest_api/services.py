"""What serves a request: built once per process by `create_app`, handed over by its lifespan."""

from dataclasses import dataclass
from typing import TypedDict

from starlette.types import Scope

from ingest_api.auth import Authenticator
from ingest_api.body import BodyLimits
from ingest_api.connections import Connections
from ingest_api.intake import Intake
from ingest_api.metrics import Metrics
from ingest_api.refusals import Refusals
from ingest_api.sessions import SessionDirectory
from ingest_api.shedding import Gate
from publisher import Publisher


@dataclass(frozen=True, slots=True)
class Services:
    """Everything the routes use."""

    authenticator: Authenticator
    body_limits: BodyLimits
    connections: Connections
    crosses_origins: bool  # to a page of another origin each answer has to be allowed
    gate: Gate
    intake: Intake
    metrics: Metrics
    publisher: Publisher
    refusals: Refusals
    sessions: SessionDirectory


class State(TypedDict):
    """What the lifespan yields; Starlette puts it on every request."""

    services: Services


def services(scope: Scope) -> Services:
    """Return the services of the process that serves a request."""
    of: Services = scope["state"]["services"]
    return of
