"""Who may use a route: each says for which roles it is, and one that does not cannot be made."""

import time
from collections.abc import Callable, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.params import Depends as Dependency
from fastapi.routing import APIRoute

from attemptlog.console.front import MAX_BODY_BYTES
from attemptlog.console.problems import NotFound
from attemptlog.console.services import Services, ServicesDep
from attemptlog.console.viewer import viewer_of
from attemptlog.event_store.viewing import Role, Viewer
from attemptlog.runtime.headers import headers_of, token_of

COOKIE = "attemptlog_console"


async def viewer(request: Request, of: ServicesDep) -> Viewer:
    """Return who asks. Raise TokenRefused for whoever has no token that is good, and KeysUnavailable."""
    headers = headers_of(request.scope["headers"])
    in_cookie = request.cookies.get(COOKIE) if b"authorization" not in headers else None
    return await verified(in_cookie or token_of(headers), of)


async def verified(token: str, of: Services) -> Viewer:
    """Return whose token it is, and as what they look; raises as `viewer`."""
    caller = await of.authenticator.caller(token, time.time())
    return viewer_of(caller.user_id, caller.claims, of.settings.console_role_claim, of.settings.console_exams_claim)


ViewerDep = Annotated[Viewer, Depends(viewer)]


class Guard:
    """Lets those pass whose role is one of these; for all others there is nothing here."""

    def __init__(self, roles: Sequence[Role]) -> None:
        self.roles = frozenset(roles)

    async def __call__(self, viewer: ViewerDep) -> None:
        """Raise NotFound for whom it is not."""
        if viewer.role not in self.roles:
            raise NotFound


class Unguarded(Guard):
    """Lets everybody pass, without a token: it is brought here."""

    async def __call__(self) -> None:  # type: ignore[override]  # FastAPI reads what it needs: no viewer
        """Let pass."""


def only(*roles: Role) -> list[Dependency]:
    """Return the dependencies of a route for these roles: `dependencies=only("operator", "auditor")`."""
    return [Depends(Guard(roles))]


ANYBODY: list[Dependency] = [Depends(Unguarded(()))]


class GuardedRoute(APIRoute):
    """A route that says whom it is for, in its dependencies; raises TypeError for one that does not."""

    def __init__(
        self,
        path: str,
        endpoint: Callable[..., Any],
        *,
        dependencies: Sequence[Dependency] | None = None,
        **more: Any,
    ) -> None:
        guards = [it.dependency for it in dependencies or () if isinstance(it.dependency, Guard)]
        if len(guards) != 1:
            raise TypeError(f"{path} does not say for which roles it is: dependencies=only(…), or ANYBODY")
        self.roles = guards[0].roles
        super().__init__(path, endpoint, dependencies=dependencies, **more)


def api_router() -> APIRouter:
    """Return a router for routes that say whom they are for."""
    return APIRouter(route_class=GuardedRoute, max_body_size=MAX_BODY_BYTES)
