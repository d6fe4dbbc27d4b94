"""What stands for a person or a session that was purged: a name that only the holder of a key can make, or find."""

import hmac
from typing import Annotated
from uuid import UUID

from pydantic import Field, SecretStr

MIN_KEY_LENGTH = 32  # characters; as many as the key of a token has at least

OURS = b"attemptlog"

PseudonymKey = Annotated[
    SecretStr | None,
    Field(
        description="Key of the pseudonyms in the list of those who were purged, 32 characters or more; the same "
        "everywhere, for as long as the list is.",
        min_length=MIN_KEY_LENGTH,
    ),
]


class Pseudonyms:
    """Makes pseudonyms with a key: the first 128 bits of HMAC-SHA256 (RFC 2104), written as a UUID.

    Ids are UUIDs as text in lower case. A person and a session with the same id have different ones.
    """

    def __init__(self, key: str) -> None:
        self._keyed = hmac.new(key.encode(), digestmod="sha256")  # a copy costs a third of a beginning

    @property
    def fingerprint(self) -> UUID:
        """Tells one key from another, and nothing of it."""
        return UUID(hex=self._name(b"key:" + OURS))

    def of_user(self, user_id: bytes) -> str:
        """Return a person's pseudonym, as 32 hexadecimal digits, which PostgreSQL reads as a UUID."""
        return self._name(b"user:" + user_id)

    def of_session(self, session_id: bytes) -> str:
        """Return a session's pseudonym in the same way."""
        return self._name(b"session:" + session_id)

    def _name(self, what: bytes) -> str:
        named = self._keyed.copy()
        named.update(what)
        return named.digest()[:16].hex()


def pseudonyms_of(key: SecretStr | None) -> Pseudonyms | None:
    """Return what makes pseudonyms with the key of a setting, None where none is set."""
    return Pseudonyms(key.get_secret_value()) if key else None
