"""fakesnow's server as a process of its own, which can be told to fail as Snowflake does.

`python -m tests.support.fake_snowflake_server` prints its port and ends with its standard input. POST /faults puts a
list of faults in place of the one before; GET /heard tells the logins and statements since the last time; GET /staged
the files in all stages; POST /abort-detached ends every session, as Snowflake does with those whose client is gone.
REMOVE, which fakesnow does not know, is done here.
"""

import gzip
import json
import re
import shutil
import socket
import sys
import threading
from pathlib import Path
from typing import Any

import uvicorn
from fakesnow.server import app as fakesnow_app
from fakesnow.server import sessions
from fakesnow.transforms.stage import LOCAL_BUCKET_PATH
from starlette.types import Message, Receive, Scope, Send

REMOVE = re.compile(r"REMOVE @(\w+)/(.*)")

faults: list[dict[str, Any]] = []
heard: list[dict[str, Any]] = []


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Everything but the two paths goes to fakesnow, changed or unanswered where a fault says so."""
    if scope["type"] != "http":
        await fakesnow_app(scope, receive, send)
        return
    body = await read(receive)
    match scope["path"]:
        case "/faults":
            faults[:] = json.loads(body)
            await answer(send, 200)
        case "/heard":
            await answer(send, 200, heard)
            heard.clear()
        case "/staged":
            await answer(send, 200, [str(path) for path in Path(LOCAL_BUCKET_PATH).rglob("*") if path.is_file()])
        case "/abort-detached":
            for connection in sessions.values():
                connection.close()
            sessions.clear()
            await answer(send, 200)
        case "/queries/v1/query-request":
            await query(scope, body, send)
        case "/session/v1/login-request":
            heard.append(content_of(scope, body)["data"] | {"QUERY": scope["query_string"].decode()})
            await fakesnow_app(scope, replay(body), send)
        case _:
            await fakesnow_app(scope, replay(body), send)


async def query(scope: Scope, body: bytes, send: Send) -> None:
    request = content_of(scope, body)
    heard.append({"STATEMENT": request["sqlText"].strip()})
    fault = next((it for it in faults if re.search(it["match"], request["sqlText"].strip())), None)
    if fault is None and (removal := REMOVE.fullmatch(request["sqlText"].strip())):
        remove_staged(*removal.groups())
        await rewritten(scope, request | {"sqlText": "SELECT 'removed'"}, send)
    elif fault is None:
        await fakesnow_app(scope, replay(body), send)
    elif "error" in fault:
        await answer(send, 200, {"success": False, "data": {"sqlState": fault["state"]}, **fault["error"]})
    elif "replace" in fault:
        changed = re.sub(fault["replace"], fault["by"], request["sqlText"])
        await rewritten(scope, request | {"sqlText": changed}, send)
    else:
        if fault.pop("is_done", False):
            await fakesnow_app(scope, replay(body), nobody)
        await answer(send, 503)


async def rewritten(scope: Scope, request: Any, send: Send) -> None:
    changed = json.dumps(request).encode()
    await fakesnow_app(scope, replay(gzip.compress(changed) if is_zipped(scope) else changed), send)


def remove_staged(stage: str, path: str) -> None:
    """Of the stages of that name in every schema: of two tests, one runs at a time."""
    for folder in Path(LOCAL_BUCKET_PATH).glob(f"*/*/{stage.upper()}/{path}"):
        shutil.rmtree(folder)


def content_of(scope: Scope, body: bytes) -> Any:
    return json.loads(gzip.decompress(body) if is_zipped(scope) else body)


def is_zipped(scope: Scope) -> bool:
    return (b"content-encoding", b"gzip") in scope["headers"]


async def read(receive: Receive) -> bytes:
    body = b""
    while True:
        message = await receive()
        body += bytes(message.get("body", b""))
        if not message.get("more_body"):
            return body


def replay(body: bytes) -> Receive:
    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


async def nobody(message: Message) -> None:
    """An answer that gets lost."""


async def answer(send: Send, status: int, content: Any = None) -> None:
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps({} if content is None else content).encode()})


def main() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    # A connection is not ended for its idleness at the moment when somebody uses it.
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_keep_alive=600))

    def end_with_input() -> None:
        sys.stdin.read()
        server.should_exit = True

    threading.Thread(target=end_with_input, daemon=True).start()
    sys.stdout.write(f"{listener.getsockname()[1]}\n")
    sys.stdout.flush()
    try:
        server.run(sockets=[listener])
    finally:
        shutil.rmtree(LOCAL_BUCKET_PATH)


if __name__ == "__main__":
    main()
