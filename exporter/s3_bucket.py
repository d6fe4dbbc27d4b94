"""Objects of a bucket: what the S3 target asks of them, and what their errors mean."""

import io
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import boto3
from botocore import exceptions
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from attemptlog.exporter.errors import DataError, ExportError, SetUpError, TransientError
from attemptlog.runtime.logs import first_line

REMOVED_AT_A_TIME = 1000  # objects; the most that S3 takes
READ_AT_LEAST = 256 * 1024  # bytes; a request costs more than these

CONFIG = Config(connect_timeout=10, read_timeout=60, retries={"mode": "standard", "total_max_attempts": 4})

TAKEN = {"PreconditionFailed", "412"}
PASSING = {"ConditionalRequestConflict", "OperationAborted", "RequestTimeout", "SlowDown", "ServiceUnavailable"}
PASSING |= {"InternalError", "ThrottlingException", "RequestTimeTooSkewed", "ExpiredToken", "409", "429"}
SERVER_ERROR = 500  # HTTP


class Taken(Exception):
    """Somebody else has put an object there, or another one than was seen."""


class Bucket:
    """Objects by their names below a prefix. Every method may raise SetUpError and TransientError."""

    def __init__(
        self, name: str, prefix: str | None = None, endpoint_url: str | None = None, region: str | None = None
    ) -> None:
        self._name = name
        self._prefix = f"{prefix.strip('/')}/" if prefix and prefix.strip("/") else ""
        self._where = {"endpoint_url": endpoint_url, "region_name": region}
        self._client: Any = None

    def __str__(self) -> str:
        return f"s3://{self._name}/{self._prefix}"

    def close(self) -> None:
        """Close the connections, which the next request opens again."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def names(self, folder: str) -> Iterator[str]:
        """Yield the names that begin so, in their order."""
        with self._told() as client:
            pages = client.get_paginator("list_objects_v2").paginate(Bucket=self._name, Prefix=self._prefix + folder)
            for page in pages:
                yield from (found["Key"].removeprefix(self._prefix) for found in page.get("Contents", []))

    def get(self, name: str) -> tuple[bytes, str] | None:
        """Return an object's content and its version; None if there is none."""
        with self._told() as client:
            try:
                found = client.get_object(Bucket=self._name, Key=self._prefix + name)
                return found["Body"].read(), found["ETag"]
            except client.exceptions.NoSuchKey:
                return None

    def put(self, name: str, content: Path | bytes, instead_of: str | None) -> str:
        """Make an object, or replace that version of it; return the new version. Raises Taken."""
        condition = {"IfNoneMatch": "*"} if instead_of is None else {"IfMatch": instead_of}
        with self._told() as client, _body(content) as body:
            made = client.put_object(Bucket=self._name, Key=self._prefix + name, Body=body, **condition)
            return str(made["ETag"])

    def upload(self, content: Path | bytes, name: str) -> None:
        """Make an object, in place of what is there. The service checks what it got by a checksum."""
        with self._told() as client, _body(content) as body:
            client.put_object(Bucket=self._name, Key=self._prefix + name, Body=body)

    def remove(self, names: Iterable[str]) -> None:
        """Remove objects, whether they are there or not."""
        left = iter(names)
        while some := [{"Key": self._prefix + name} for name in islice(left, REMOVED_AT_A_TIME)]:
            with self._told() as client:
                answer = client.delete_objects(Bucket=self._name, Delete={"Objects": some, "Quiet": True})
            if refused := answer.get("Errors"):
                raise SetUpError(f"{self}: {refused[0]['Key']} cannot be removed ({refused[0]['Code']})")

    @contextmanager
    def open(self, name: str) -> Iterator[io.BufferedReader]:
        """Open an object for reading where one likes, as it is now; its `raw` is a Reader."""
        try:
            with self._told() as client:
                yield io.BufferedReader(Reader(client, self._name, self._prefix + name), READ_AT_LEAST)
        except Taken as error:
            raise TransientError(f"{self}{name} was replaced while it was read") from error

    def _connect(self) -> Any:
        try:
            return boto3.session.Session().client("s3", config=CONFIG, **self._where)
        except ValueError as error:
            raise SetUpError(f"{self}: {first_line(error)}") from error

    @contextmanager
    def _told(self) -> Iterator[Any]:
        """Yield the client; translate what it raises."""
        try:
            if self._client is None:
                self._client = self._connect()
            yield self._client
        except (ClientError, BotoCoreError) as error:
            if isinstance(error, ClientError) and code_of(error) in TAKEN:
                raise Taken from error
            raise told(str(self), error) from error


class Reader(io.RawIOBase):
    """An object as a file, of one version; every read is a request. Raises Taken where it was replaced."""

    def __init__(self, client: Any, bucket: str, key: str) -> None:
        found = client.head_object(Bucket=bucket, Key=key)
        self.version = str(found["ETag"])
        self.size = int(found["ContentLength"])
        self._get = partial(client.get_object, Bucket=bucket, Key=key, IfMatch=self.version)
        self._place = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        self._place = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self.size}[whence]
        return self._place

    def readinto(self, buffer: Any, /) -> int:
        wanted = min(len(buffer), self.size - self._place)
        if wanted <= 0:
            return 0
        found = self._get(Range=f"bytes={self._place}-{self._place + wanted - 1}")["Body"].read()
        buffer[: len(found)] = found
        self._place += len(found)
        return len(found)


def _body(content: Path | bytes) -> BinaryIO:
    return io.BytesIO(content) if isinstance(content, bytes) else content.open("rb")


def code_of(error: ClientError) -> str:
    """Return S3's name for an error."""
    return str(error.response.get("Error", {}).get("Code", ""))


def told(bucket: str, error: ClientError | BotoCoreError) -> ExportError:
    """Return what it means that boto3 has raised this."""
    reason = f"{bucket}: {first_line(error)}"
    if isinstance(error, exceptions.HTTPClientError | exceptions.ConnectionError):
        return TransientError(reason)
    if not isinstance(error, ClientError):  # no credentials, no such profile, a name that cannot be
        return SetUpError(reason)
    if code_of(error) in ("NoSuchKey", "404", "InvalidRange"):
        return DataError(f"{bucket}: an object that is in the ledger is not there, or shorter: put it back as it was")
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return TransientError(reason) if code_of(error) in PASSING or status >= SERVER_ERROR else SetUpError(reason)
