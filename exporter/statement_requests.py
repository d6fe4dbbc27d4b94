"""Statements to a learning record store, over HTTP (xAPI 1.0.3, part three, section 2.1.2)."""

import ssl
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Self

import httpx
import orjson

from attemptlog.exporter.errors import DataError, ExportError, SetUpError, TransientError
from attemptlog.exporter.statement_files import id_of
from attemptlog.exporter.target import HALVED, REFUSED, TAKEN
from attemptlog.runtime.logs import first_line

VERSION = {"X-Experience-API-Version": "1.0.3"}
JSON = {"Content-Type": "application/json"}

MAX_STATEMENTS = 500  # in a request: some stores look every one up before they answer
MAX_BYTES = 900_000  # of a request: many proxies take 1 MiB
TIMEOUT = 60.0  # seconds for each step of a request, of which waiting for the answer is the longest

STORED, KNOWN = 200, 204
INVALID, OTHER_CONTENT, TOO_LARGE = 400, 409, 413
ABOUT_SOME = {INVALID, OTHER_CONTENT, TOO_LARGE}  # what is asked for may do without one of them
FOR_NOW = {408, 425, 429}
SERVER_ERRORS = 500  # and what is above

WHY = {
    INVALID: "the record store refuses its statement as not valid (400)",
    OTHER_CONTENT: "the record store holds another statement under its id (409): were the home page, the base, the "
    "mapping or the session's exam changed since it was sent, or was it sent by somebody else?",
}


class StatementRequests:
    """Sends statements. The constructor stores, `with` opens connections, which are kept."""

    _client: httpx.Client

    def __init__(self, endpoint: str, username: str, password: str) -> None:
        self.url = f"{endpoint.rstrip('/')}/statements"
        self._login = httpx.BasicAuth(username, password)
        self.requested: Callable[[str], None] = lambda _: None

    def __enter__(self) -> Self:
        self._client = httpx.Client(auth=self._login, headers=VERSION, timeout=TIMEOUT)
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._client.close()

    def send(self, statements: list[bytes]) -> int:
        """Return how many the store says it holds now, which is all of them.

        A request that is refused for what is in it is sent again in halves, until the statement is found for which it
        was. Raises DataError with that one's id, SetUpError, or TransientError.
        """
        reply = self._call("POST", content=b"[%b]" % b",".join(statements), headers=JSON)
        outcome = outcome_of(reply.status_code, len(statements))
        self.requested(outcome)
        if outcome == TAKEN:
            return len(statements) if reply.status_code == KNOWN else self._held(statements, reply)
        if outcome == HALVED:
            middle = len(statements) // 2
            return self.send(statements[:middle]) + self.send(statements[middle:])
        raise refusal(reply.status_code, statements)

    def _held(self, statements: list[bytes], reply: httpx.Response) -> int:
        """Ask for what a store has not named: some name only what is new to them."""
        named = _named(reply)
        for statement_id in map(id_of, statements):
            if statement_id not in named and not self._holds(statement_id):
                raise TransientError(f"the record store answered 200 and does not hold event {statement_id}")
        return len(statements)

    def _holds(self, statement_id: str) -> bool:
        reply = self._call("GET", params={"statementId": statement_id})
        return reply.status_code == STORED and statement_id.encode() in reply.content

    def _call(self, method: str, **parts: Any) -> httpx.Response:
        try:
            return self._client.request(method, self.url, **parts)
        except httpx.HTTPError as error:
            kind = SetUpError if _is_about_certificates(error) else TransientError
            raise kind(f"the record store cannot be reached: {first_line(error)}") from error


def outcome_of(status: int, statements: int) -> str:
    """Return what becomes of a request of so many statements that is answered so."""
    if status in (STORED, KNOWN):
        return TAKEN
    return HALVED if status in ABOUT_SOME and statements > 1 else REFUSED


def refusal(status: int, statements: list[bytes]) -> ExportError:
    """Return what a status other than 200 and 204 means for these statements."""
    if status in WHY:
        return DataError(WHY[status], id_of(statements[0]))
    if status in FOR_NOW or status >= SERVER_ERRORS:
        return TransientError(f"the record store answers {status}")
    if status == TOO_LARGE:
        size = sum(map(len, statements))
        return SetUpError(f"the record store, or a proxy before it, takes no request of {size} bytes: raise its limit")
    return SetUpError(
        f"the record store answers {status}: see that ATTEMPTLOG_EXPORT_XAPI_ENDPOINT, _USERNAME and _PASSWORD are "
        "right, and that this user may write statements"
    )


def requests_of(lines: Iterable[bytes]) -> Iterator[list[bytes]]:
    """Part statements into requests of at most MAX_STATEMENTS and MAX_BYTES, or of one that is larger."""
    held: list[bytes] = []
    size = 0
    for line in lines:
        if held and (len(held) == MAX_STATEMENTS or size + len(line) > MAX_BYTES):
            yield held
            held, size = [], 0
        held.append(line)
        size += len(line)
    if held:
        yield held


def _named(reply: httpx.Response) -> set[str]:
    try:
        named = orjson.loads(reply.content)
    except orjson.JSONDecodeError:
        named = None
    if not isinstance(named, list):
        raise SetUpError("what answers is no record store: see that ATTEMPTLOG_EXPORT_XAPI_ENDPOINT is right")
    return {each for each in named if isinstance(each, str)}


def _is_about_certificates(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False
