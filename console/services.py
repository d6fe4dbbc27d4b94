"""What the routes work with: made once in app.py, the same for every request."""

from dataclasses import dataclass
from typing import Annotated, TypedDict

from fastapi import Depends, Request

from attemptlog.console.audits import Audits
from attemptlog.console.metrics import Metrics
from attemptlog.console.reader import Reader
from attemptlog.console.settings import ConsoleSettings
from attemptlog.console.watch import Watch
from attemptlog.runtime.pseudonyms import Pseudonyms
from attemptlog.runtime.tokens import Authenticator


@dataclass(frozen=True, slots=True)
class Services:
    """What the routes work with."""

    audits: Audits
    authenticator: Authenticator
    metrics: Metrics
    pseudonyms: Pseudonyms | None
    reader: Reader
    settings: ConsoleSettings
    watch: Watch


class State(TypedDict):
    """What the lifespan yields."""

    services: Services


async def _services(request: Request) -> Services:
    of: Services = request.state.services
    return of


ServicesDep = Annotated[Services, Depends(_services)]
