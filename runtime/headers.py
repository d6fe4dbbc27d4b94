"""What the headers of a request say: each by its name, and the token that they bear."""

from collections.abc import Mapping, Sequence

from attemptlog.runtime.token_errors import TokenRefused

Headers = Mapping[bytes, bytes]  # names in lower case


def headers_of(raw: Sequence[tuple[bytes, bytes]]) -> Headers:
    """Return the headers of an ASGI scope by name; lines of one name become one (RFC 9110, 5.3; RFC 9113, 8.2.3)."""
    headers = dict(raw)
    if len(headers) == len(raw):
        return headers
    lines: dict[bytes, dict[bytes, None]] = {}
    for name, value in raw:
        lines.setdefault(name, {})[value] = None  # the same line twice says nothing more
    return {name: (b"; " if name == b"cookie" else b", ").join(values) for name, values in lines.items()}


def token_of(headers: Headers) -> str:
    """Return the token of the Authorization header, or of the cookie `access_token`. Raise TokenRefused without one.

    A cookie counts only with a JSON body, which a foreign page cannot send without a preflight.
    """
    authorization = headers.get(b"authorization", b"").decode("latin-1")
    scheme, _, token = authorization.partition(" ")
    if ", " in authorization and "bearer " in authorization.lower():
        raise TokenRefused("send one Authorization header: there are several, and they differ")
    if scheme.lower() != "bearer":
        token = _cookie(headers.get(b"cookie", b"").decode("latin-1"))
        if token and not _is_json(headers):
            raise TokenRefused("a cookie is taken only with content-type application/json")
    if not token:
        raise TokenRefused("send a token: Authorization: Bearer, or the cookie access_token")
    return token.strip()


def _cookie(line: str) -> str:
    """Return the first access_token that is not empty: a browser puts the most specific path first (RFC 6265, 5.4)."""
    for pair in line.split(";"):
        name, _, value = pair.partition("=")
        if name.strip() == "access_token" and (token := value.strip().strip('"')):
            return token
    return ""


def _is_json(headers: Headers) -> bool:
    return headers.get(b"content-type", b"").partition(b";")[0].strip().lower() == b"application/json"
