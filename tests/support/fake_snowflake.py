"""A stand-in for Snowflake: fakesnow's server in a process of its own, spoken to with the real connector."""

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import snowflake.connector
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from snowflake.connector.cursor import DictCursor

from attemptlog.exporter.rows import TIMES
from attemptlog.exporter.snowflake import Snowflake
from attemptlog.exporter.snowflake_session import Session, SnowflakeSettings
from tests.support.export import Place, content_of, traces_of
from tests.support.served import port_of

# fakesnow's server answers 1970 for a time that is NULL.
TABLES = 'SELECT table_name AS "table_name" FROM information_schema.tables WHERE table_schema = CURRENT_SCHEMA()'
MICROSECONDS = ", ".join(f"DATE_PART(EPOCH_MICROSECOND, {name}) AS at_{name}" for name in TIMES)


@dataclass(frozen=True)
class FakeSnowflake:
    """A server and a schema in it."""

    port: int
    schema: str

    def settings(self, **changes: Any) -> SnowflakeSettings:
        usual: dict[str, Any] = {
            "account": "fakesnow",
            "user": "exporter",
            "role": "attemptlog_exporter",
            "warehouse": "loading",
            "database": "exams",
            "schema": self.schema,
            "programmatic_access_token": "secret",
            "host": "127.0.0.1",
            "port": self.port,
            "protocol": "http",
            "network_timeout": timedelta(seconds=1),
        }
        return SnowflakeSettings(**{f"export_snowflake_{name}": value for name, value in (usual | changes).items()})

    def session(self) -> Session:
        """Log in as an exporter does."""
        return Session.connect(self.settings())

    def query(self, statement: str) -> list[dict[str, Any]]:
        """Return rows by name, read with a connection of its own."""
        with closing(
            snowflake.connector.connect(
                account="fakesnow",
                user="analyst",
                password="secret",
                host="127.0.0.1",
                port=self.port,
                protocol="http",
                database="exams",
                schema=self.schema,
                session_parameters={"CLIENT_TELEMETRY_ENABLED": False},
            )
        ) as connection:
            cursor = connection.cursor(DictCursor)
            cursor.execute(statement)
            return [dict(row) for row in cursor.fetchall()]

    def rows(self) -> list[dict[str, Any]]:
        """Return every event as it was sent: JSON has lost its spaces and the order of its keys, which it may."""
        return [as_sent(row) for row in self.query(f"SELECT *, {MICROSECONDS} FROM attempt_events")]  # noqa: S608

    def traces(self, *texts: str) -> dict[str, list[str]]:
        """Return which tables, and which files in the stages, have a text in them."""
        names = [row["table_name"] for row in self.query(TABLES)]
        tables = {name: str(self.query(f'SELECT * FROM "{name}"')) for name in names}  # noqa: S608
        return traces_of(tables | {path: content_of(Path(path)) for path in self.staged()}, *texts)

    def staged(self) -> list[str]:
        """Return the paths of the files in all stages."""
        return list(httpx.get(f"http://127.0.0.1:{self.port}/staged").raise_for_status().json())

    def fail(self, *faults: dict[str, Any]) -> None:
        """Have statements that `match` fail from now on, see fake_snowflake_server."""
        httpx.post(f"http://127.0.0.1:{self.port}/faults", json=faults).raise_for_status()

    def heard(self) -> list[dict[str, Any]]:
        """Return what was said to the server since the last time: logins and statements."""
        return list(httpx.get(f"http://127.0.0.1:{self.port}/heard").raise_for_status().json())

    def abort_detached(self) -> None:
        """End what processes that were killed have begun."""
        httpx.post(f"http://127.0.0.1:{self.port}/abort-detached").raise_for_status()


@contextmanager
def fake_snowflake() -> Iterator[FakeSnowflake]:
    server = FakeSnowflake(port_of("tests.support.fake_snowflake_server"), f"telemetry_{uuid4().hex[:8]}")
    try:
        yield server
    finally:
        server.fail()


@contextmanager
def snowflake_place(_: Path) -> Iterator[Place]:
    with fake_snowflake() as server:
        address = f"snowflake:{server.port}/{server.schema}"
        yield Place(lambda: Snowflake(server.settings()), server.rows, server.traces, address)


def as_sent(row: dict[str, Any]) -> dict[str, Any]:
    times = {name: moment(row.pop(f"AT_{name.upper()}")) for name in TIMES}
    texts = {name: spaced(row[name.upper()]) for name in ("payload", "dropped")}
    return {name.lower(): value for name, value in row.items() if name != "EXPORT_BATCH"} | times | texts


def moment(microseconds: int | None) -> datetime | None:
    return None if microseconds is None else datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)


def spaced(text: str | None) -> str | None:
    return None if text is None else json.dumps(json.loads(text), ensure_ascii=False)


def private_key(path: Path, passphrase: str | None) -> Path:
    """Write a key to log in with, as openssl makes it."""
    key = rsa.generate_private_key(65537, 2048)
    encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if passphrase:
        encryption = serialization.BestAvailableEncryption(passphrase.encode())
    path.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption))
    return path
