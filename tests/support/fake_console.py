"""The console's pages before an API from a seed, with the headers of the console.

`python -m tests.support.fake_console 8003` stays until its standard input ends; the page is at
`/#token=examiner`, or whatever role is wanted. Without a port, it takes and prints one.
"""

import json
import mimetypes
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from attemptlog.console.front import PROTECTION
from tests.support.documents import ROOT
from tests.support.fake_figures import exam_of, session_of
from tests.support.fake_sitting import Sat, Sitting

DIST = ROOT / "console/pages/dist"
PAGE_SIZE = 100
SLOW = 3  # seconds
ROLES = ("candidate", "examiner", "operator", "auditor")


def _id(number: int) -> str:
    return f"0198c0de-0000-7000-8000-{number:012d}"


USUAL = Sitting(_id(1), "General knowledge, spring", sessions=412, questions=30, due=3)
LARGE = Sitting(_id(2), None, sessions=240, questions=60, seed=8)
SMALL = Sitting(_id(3), "A seminar's quiz on the physiology of the heart and the circulation", sessions=11, questions=4)
KEYLESS = Sitting(_id(4), "Without a key", sessions=9, questions=3, has_key=False)
EMPTY = Sitting(_id(5), "Tomorrow's exam", sessions=0, questions=4)
LATE = Sitting(_id(6), "Answers once, then fails", sessions=40, questions=5)
FAILING = Sitting(_id(7), "Never answers", sessions=1, questions=1)
WAITING = Sitting(_id(8), "Takes its time", sessions=31, questions=5)
COURSE = Sitting(_id(9), "A course's test", sessions=60, questions=4, due=1)
SITTINGS = {each.exam_id: each for each in (USUAL, LARGE, SMALL, KEYLESS, EMPTY, LATE, FAILING, WAITING, COURSE)}


@dataclass(frozen=True)
class Reply:
    status: int
    body: Any


@dataclass
class FakeConsole:
    """Answers the API; knows how often it was asked."""

    asked: dict[str, int] = field(default_factory=dict)

    def reply(self, path: str, query: dict[str, str], role: str | None) -> Reply:
        if role not in ROLES:
            return _problem(401, "Come in by the link that your exam platform gives you.")
        match path.removeprefix("/api/").split("/"):
            case ["me"]:
                return Reply(200, {"user_id": _id(900), "role": role, "exams": list(SITTINGS), "platform_url": None})
            case ["exams"]:
                return Reply(200, [_in_list(each) for each in SITTINGS.values()])
            case ["exams", exam_id, *rest] if exam_id in SITTINGS:
                return self._of_exam(SITTINGS[exam_id], rest, query)
        return _problem(404, "There is nothing here.")

    def _of_exam(self, sitting: Sitting, rest: list[str], query: dict[str, str]) -> Reply:
        self.asked[sitting.exam_id] = self.asked.get(sitting.exam_id, 0) + 1
        if sitting is FAILING or (sitting is LATE and self.asked[sitting.exam_id] > 1):
            return _problem(503, "The database cannot be reached.")
        if sitting is WAITING:
            time.sleep(SLOW)
        chosen = [each for each in sitting.sat if _is_chosen(each, query)]
        if rest == []:
            return Reply(200, exam_of(sitting, chosen))
        behind = [each for each in chosen if _is_behind(sitting, each, query)]
        first = int(query.get("after", 0))
        page = behind[first : first + PAGE_SIZE]
        more = first + PAGE_SIZE < len(behind)
        sessions = [session_of(sitting, each) for each in page]
        return Reply(
            200, {"total": len(behind), "sessions": sessions, "next": str(first + PAGE_SIZE) if more else None}
        )


def _in_list(sitting: Sitting) -> dict[str, Any]:
    last = sitting.sat[-1].began_at.isoformat() if sitting.sat else None
    return {"exam_id": sitting.exam_id, "title": sitting.title, "sessions": sitting.sessions, "last_event_at": last}


def _problem(status: int, detail: str) -> Reply:
    return Reply(status, {"type": "about:blank", "title": "", "status": status, "detail": detail})


def _is_chosen(each: Sat, query: dict[str, str]) -> bool:
    return (
        query.get("group", each.group) == each.group
        and ("from" not in query or datetime.fromisoformat(query["from"]) <= each.began_at)
        and ("to" not in query or each.began_at < datetime.fromisoformat(query["to"]))
    )


def _is_behind(sitting: Sitting, each: Sat, query: dict[str, str]) -> bool:
    reason = query.get("reason", each.log_reason)
    is_complete = {"true": True, "false": False}.get(query.get("complete", ""), each.is_known)
    is_of_log = (
        query.get("completion", each.completion) == each.completion
        and is_complete == each.is_known
        and reason == each.log_reason
    )
    return is_of_log and ("behind" not in query or _is_in_figure(sitting, each, query))


def _is_in_figure(sitting: Sitting, each: Sat, query: dict[str, str]) -> bool:
    position, to = (sitting.position(query.get(name, "")) for name in ("question", "to_question"))
    if not each.is_known or (position and position not in each.looks):
        return False
    effort = sitting.effort_of(each)
    low, high = int(query.get("at_least_ms", 0)), int(query.get("below_ms", sys.maxsize))
    figures: dict[str, Callable[[], bool]] = {
        "viewed": lambda: True,
        "times": lambda: True,
        "marked": lambda: sitting.has_key,
        "rapid": lambda: each.looks[position].ms < (sitting.rapid_below_ms(position) or 0),
        "changed": lambda: each.looks[position].is_changed,
        "moved": lambda: (position, to) in each.moves,
        "time": lambda: low <= each.time_ms < high,
        "effort_known": lambda: effort is not None,
        "effort_below_090": lambda: effort is not None and effort < 0.9,
    }
    wanted = query["behind"]
    return figures[wanted]() if wanted in figures else each.looks[position].kind == wanted


class Handler(BaseHTTPRequestHandler):
    console = FakeConsole()
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        if not address.path.startswith("/api/"):
            return self._send_file(address.path)
        query = {name: values[0] for name, values in parse_qs(address.query).items()}
        cookies = SimpleCookie(self.headers["Cookie"])
        role = cookies["attemptlog_console"].value if "attemptlog_console" in cookies else None
        return self._send_json(self.console.reply(address.path, query, role))

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        reply = self.console.reply("/api/me", {}, body["token"])
        self._send_json(reply, {"Set-Cookie": f"attemptlog_console={body['token']}; HttpOnly; SameSite=Strict"})

    def _send_file(self, path: str) -> None:
        file = DIST / (path.lstrip("/") or "index.html")
        if not file.resolve().is_relative_to(DIST) or not file.is_file():
            return self._send_json(_problem(404, "There is nothing here."))
        return self._send(200, file.read_bytes(), {"Content-Type": str(mimetypes.guess_type(file)[0])})

    def _send_json(self, reply: Reply, headers: dict[str, str] | None = None) -> None:
        self._send(
            reply.status, json.dumps(reply.body).encode(), {"Content-Type": "application/json"} | (headers or {})
        )

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        always = {"Content-Length": str(len(body)), "Cache-Control": "no-store"} | PROTECTION
        for name, value in (always | headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a page that was left before its answer came."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


def main() -> None:
    server = Server(("127.0.0.1", int(sys.argv[1]) if sys.argv[1:] else 0), Handler)

    def end_with_input() -> None:
        sys.stdin.read()
        server.shutdown()

    threading.Thread(target=end_with_input, daemon=True).start()
    sys.stdout.write(f"{server.server_port}\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main()
