"""A JWK set as a key server answers it (RFC 7517), and which of its keys may have signed a token. Pure."""

import json
from collections.abc import Sequence, Set
from typing import Any, NamedTuple

from jwt import PyJWK

from attemptlog.runtime.token_errors import KeysUnavailable, TokenRefused

# Chosen by the kind of key, never by the token, so that a public key is never taken for an HMAC secret.
SYMMETRIC = ["HS256"]
ASYMMETRIC = ["RS256", "PS256", "ES256", "EdDSA"]

PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})  # who has read the set could sign with such a key
RSA_BITS = range(2048, 16_384 + 1)  # RFC 7518, 3.3; OpenSSL checks no longer ones
MAX_CANDIDATES = 10  # keys that a token without a key id is tried with, 30 to 100 µs each
RETRY_AFTER = 60.0  # seconds: somebody has to mend the set


class WrongAnswer(Exception):
    """What came back is no JWK set with a key that can be used; the message says why and quotes nothing of it."""


class Key(NamedTuple):
    """A public key and the algorithms it may have signed with; none when it cannot be used."""

    public: Any
    algorithms: Set[str]


ANY, RSA = frozenset(ASYMMETRIC), frozenset({"RS256", "PS256"})
UNUSABLE = Key(None, frozenset())


class JwkSet:
    """The keys for signatures in an answer; several may have one id. Raises WrongAnswer when none can be used."""

    def __init__(self, answer: bytes) -> None:
        self._by_id: dict[str | None, list[Key]] = {}
        for jwk in _jwks(answer):
            kid = jwk.get("kid")
            self._by_id.setdefault(kid if isinstance(kid, str) else None, []).append(_key(jwk))
        self._usable = [key for keys in self._by_id.values() for key in keys if key.algorithms]
        if not self._usable:
            raise WrongAnswer("the answer holds no public key that tokens could be checked with")

    def keys_for(self, kid: str | None, algorithm: str) -> Sequence[Any] | None:
        """Return the keys that may have signed a token, at least one; None when the set does not hold its key.

        A token without a key id may be any key's. Raises KeysUnavailable when the key is there and cannot be used, and
        TokenRefused when no key of that id signs with that algorithm.
        """
        named = self._usable if kid is None else self._by_id.get(kid)
        if named is None:
            return None
        if all(key is UNUSABLE for key in named):
            raise KeysUnavailable("the key set holds this token's key in a form that is of no use", RETRY_AFTER)
        fitting = [key.public for key in named if algorithm in key.algorithms]
        if kid is None and not fitting:
            return None
        if not fitting or len(fitting) > MAX_CANDIDATES:
            raise TokenRefused("the token was refused: name the key that signed it (kid), and the key's algorithm")
        return fitting


def _jwks(answer: bytes) -> list[dict[str, Any]]:
    try:
        document = json.loads(answer)
    except (ValueError, RecursionError):
        raise WrongAnswer("the answer is not JSON") from None
    keys = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(keys, list):
        raise WrongAnswer("the answer is JSON, but not a JWK set")
    return [jwk for jwk in keys if isinstance(jwk, dict) and _is_for_signatures(jwk)]


def _is_for_signatures(jwk: dict[str, Any]) -> bool:
    operations = jwk.get("key_ops")
    signs = not isinstance(operations, list) or "verify" in operations or "sign" in operations
    return signs and jwk.get("use") in (None, "sig")


def _key(jwk: dict[str, Any]) -> Key:
    if not PRIVATE.isdisjoint(jwk):
        return UNUSABLE
    try:
        it = PyJWK(jwk)
    except Exception:  # it may be anything, and so may be what the parser makes of it
        return UNUSABLE
    if it.algorithm_name in RSA and it.key.key_size not in RSA_BITS:
        return UNUSABLE
    algorithms = RSA if it.algorithm_name == "RS256" and "alg" not in jwk else {it.algorithm_name}
    return Key(it.key, algorithms & ANY) if algorithms & ANY else UNUSABLE
