"""Which sessions are answered for as if they were not there: those of persons who were purged, and purged ones."""

import logging
import time
from collections.abc import Iterable, Sequence
from datetime import timedelta
from uuid import UUID

from attemptlog.runtime.pseudonyms import Pseudonyms
from attemptlog.runtime.suppressions import Names, by_pseudonym, key_fault

logger = logging.getLogger(__name__)

INTERVAL = timedelta(minutes=1)  # between two lines about the same fault


class Suppressions:
    """Makes the names to ask the list for.

    Without the list's key nobody can be found in it: the gateway goes on all the same, and says so, for the consumer
    asks again and ends.
    """

    def __init__(self, pseudonyms: Pseudonyms | None) -> None:
        self._pseudonyms = pseudonyms
        self._said_at = -INTERVAL.total_seconds()

    def can_be_read(self, key: Sequence[tuple[UUID, UUID]]) -> bool:
        """Return whether there is a list, by the rows of READ_KEY, and our key is its."""
        for fingerprint, _ in key:
            if fault := key_fault(fingerprint, self._pseudonyms):
                self.complain(fault, time.monotonic())
                return False
        return bool(key)

    def names_of(self, owned: Iterable[tuple[str, str]]) -> Names:
        """Return the pseudonyms of sessions and their users, once `can_be_read`."""
        if self._pseudonyms is None:
            return {}
        pairs = list(owned)
        users, sessions = {user.encode() for _, user in pairs}, [session.encode() for session, _ in pairs]
        return by_pseudonym(self._pseudonyms, users, sessions)

    def complain(self, fault: str, now: float) -> None:
        """Log a fault, at most once in INTERVAL."""
        if now - self._said_at >= INTERVAL.total_seconds():
            self._said_at = now
            logger.error("purged persons cannot be told: %s", fault, extra={"action": "pseudonym_key_wrong"})
