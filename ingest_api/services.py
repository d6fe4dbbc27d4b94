"""What serves a request: built once per process by `create_app`, handed over by its lifespan."""

from dataclasses import dataclass
from typing import TypedDict

from attemptlog.ingest_api.body import BodyLimits
from attemptlog.ingest_api.connections import Connections
from attemptlog.ingest_api.intake import Intake
from attemptlog.ingest_api.metrics import Metrics
from attemptlog.ingest_api.refusals import Refusals
from attemptlog.ingest_api.sessions import SessionDirectory
from attemptlog.ingest_api.shedding import Gate
from attemptlog.ingest_api.workers import Scrape
from attemptlog.publisher import Publisher
from attemptlog.runtime.tokens import Authenticator


@dataclass(frozen=True, slots=True)
class Services:
    """Everything that requests use."""

    authenticator: Authenticator
    body_limits: BodyLimits
    connections: Connections
    crosses_origins: bool  # to a page of another origin each answer has to be allowed
    gate: Gate
    intake: Intake
    metrics: Metrics
    publisher: Publisher
    refusals: Refusals
    scrape: Scrape
    sessions: SessionDirectory


class State(TypedDict):
    """What the lifespan yields; Starlette puts it on every request."""

    services: Services
