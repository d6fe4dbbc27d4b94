"""That batches are refused and why, in the log, which names nobody: pseudonyms tell callers and sessions apart."""

import asyncio
import logging
import secrets
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Self

from attemptlog.runtime.pseudonyms import MIN_KEY_LENGTH, Pseudonyms

logger = logging.getLogger(__name__)

INTERVAL = timedelta(seconds=60)  # what a caller repeats within it is counted and told at its end
MAX_CALLERS = 200  # callers and codes told apart in an interval; the others are told together
MAX_SESSIONS = 5  # in one line


@dataclass(slots=True)
class Refused:
    """What was refused to one caller with one code since the last line."""

    requests: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    sessions: set[str] = field(default_factory=set)


class Refusals:
    """One line when a caller is first refused with a code, and one at the end of an interval with the repeats.

    Use as `with` around the time in which the event loop serves. No line holds a token, an id or anything of an event.
    Without `pseudonyms` they are of this object only: nobody can make them again.
    """

    def __init__(self, pseudonyms: Pseudonyms | None = None) -> None:
        self._pseudonyms = pseudonyms or Pseudonyms(secrets.token_hex(MIN_KEY_LENGTH))
        self._refused: dict[tuple[str | None, str], Refused] = {}
        self._telling: asyncio.TimerHandle | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._telling is not None:
            self._telling.cancel()
            self._tell_repeats()

    def note(
        self, code: str, user_id: str | None, *, sessions: Collection[str] = (), reasons: Iterable[str] = ()
    ) -> None:
        """Note that a request was refused, or some of its events; `reasons` has the code of each of these."""
        key = (user_id, code)
        is_first = key not in self._refused
        if is_first and len(self._refused) >= MAX_CALLERS:
            key, is_first = (None, "of_more_callers"), False
        refused = self._refused.setdefault(key, Refused())
        refused.requests += 1
        refused.reasons.update(reasons)
        refused.sessions.update(list(sessions)[: MAX_SESSIONS - len(refused.sessions)])
        if is_first:
            self._refused[key] = Refused()
            self._tell(key, refused)
        if self._telling is None:
            self._telling = asyncio.get_running_loop().call_later(INTERVAL.total_seconds(), self._tell_repeats)

    def _tell_repeats(self) -> None:
        refused, self._refused, self._telling = self._refused, {}, None
        for key, repeats in refused.items():
            if repeats.requests:
                self._tell(key, repeats)

    def _tell(self, key: tuple[str | None, str], refused: Refused) -> None:
        user_id, code = key
        data = {
            "action": "batches_refused",
            "code": code,
            "user": None if user_id is None else self._pseudonyms.of_user(user_id.encode()),
            "sessions": sorted(self._pseudonyms.of_session(each.encode()) for each in refused.sessions),
            "requests": refused.requests,
            "reasons": dict(refused.reasons),
        }
        logger.warning("batches were refused, or events in them: %s", code, extra=data)
