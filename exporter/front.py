"""Health and metrics over HTTP, in threads beside the exporter."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from socketserver import ThreadingMixIn
from threading import Thread
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, make_wsgi_app

from attemptlog.runtime.errors import OperatorError

ANSWER_TIMEOUT = 10.0  # seconds; a caller that sends nothing must not keep a thread for ever


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Handler(WSGIRequestHandler):
    timeout = ANSWER_TIMEOUT

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
        """Say nothing of a probe."""


@contextmanager
def serving(host: str, port: int, registry: CollectorRegistry, is_ready: Callable[[], bool]) -> Iterator[int]:
    """Serve `/healthz`, `/readyz` and `/metrics`, and yield the port; raises OperatorError where it is taken.

    Healthy is a process that works: it waits for PostgreSQL and the target by itself. Ready is one whose last pass
    succeeded.
    """
    server = _made(host, port, _application(registry, is_ready))
    thread = Thread(target=server.serve_forever, name="front", daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _made(host: str, port: int, application: Any) -> WSGIServer:
    try:
        return make_server(host, port, application, _Server, _Handler)
    except OSError as error:
        raise OperatorError(
            f"Port {port} cannot be listened on ({error.strerror}): set ATTEMPTLOG_EXPORTER_PORT."
        ) from error


def _application(registry: CollectorRegistry, is_ready: Callable[[], bool]) -> Any:
    metrics = make_wsgi_app(registry)

    def answer(environ: dict[str, Any], start_response: Any) -> Any:
        states: dict[str, Callable[[], bool]] = {"/healthz": lambda: True, "/readyz": is_ready}
        path = environ["PATH_INFO"]
        if path == "/metrics":
            return metrics(environ, start_response)
        if path not in states:
            return _reply(start_response, HTTPStatus.NOT_FOUND, "not found")
        is_good = states[path]()
        status = HTTPStatus.OK if is_good else HTTPStatus.SERVICE_UNAVAILABLE
        return _reply(start_response, status, "ok" if is_good else "the last pass failed")

    return answer


def _reply(start_response: Any, status: HTTPStatus, told: str) -> list[bytes]:
    body = json.dumps({"status": told}).encode()
    start_response(
        f"{status.value} {status.phrase}", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    )
    return [body]
