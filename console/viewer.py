"""Who looks, and as what: the role is in the token, and a token without one is a candidate's."""

import re
from collections.abc import Mapping
from typing import Any, get_args

from attemptlog.event_store.viewing import Role, Viewer
from attemptlog.runtime.token_errors import TokenRefused
from attemptlog.schemas.fields import UUID_PATTERN

ROLES: tuple[Role, ...] = get_args(Role)


def viewer_of(user_id: str, claims: Mapping[str, Any], role_claim: str, exams_claim: str) -> Viewer:
    """Return who the claims of a verified token say it is; raise TokenRefused where they cannot be read."""
    role = claims.get(role_claim, "candidate")
    if role not in ROLES:
        raise TokenRefused(f"the token's {role_claim} is none of {', '.join(ROLES)}")
    return Viewer(user_id, role, _exams(claims.get(exams_claim, []), exams_claim) if role == "examiner" else ())


def _exams(listed: object, claim: str) -> tuple[str, ...]:
    ids = [id_ for id_ in listed if isinstance(id_, str)] if isinstance(listed, list) else None
    if ids is None or ids != listed or not all(re.fullmatch(UUID_PATTERN, id_) for id_ in ids):
        raise TokenRefused(f"the token's {claim} is not a list of exams' ids, which are UUIDs")
    return tuple(sorted({id_.lower() for id_ in ids}))
