"""What the routes work with: made once in app.py, the same for every request."""

from dataclasses import dataclass
from typing import Annotated, TypedDict

from fastapi import Depends, Request

from attemptlog.console.metrics import Metrics
from attemptlog.console.reader import Reader
from attemptlog.console.settings import ConsoleSettings
from attemptlog.runtime.pseudonyms import Pseudonyms
from attemptlog.runtime.tokens import Authenticator


@dataclass(frozen=True, slots=True)
class Services:
    """What the routes work with."""

    authenticator: Authenticator
    metrics: Metrics
    pseudonyms: Pseudonyms | None
    reader: Reader
    settings: ConsoleSettings


class State(TypedDict):
    """What the lifespan yields."""

    services: Services


async def _services(request: Request) -> Services:
    of: Services = request.state.services
    return of


ServicesDep = Annotated[Services, Depends(_services)]
