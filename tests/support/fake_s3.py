"""A stand-in for S3: moto's server in a process of its own, spoken to with boto3."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

import boto3
import pytest

from attemptlog.exporter.s3 import S3, S3Settings
from tests.support.export import Place, read_with_duckdb, traces_in
from tests.support.served import port_of

PREFIX = "telemetry/events"


@dataclass(frozen=True)
class FakeS3:
    """A bucket of a service."""

    url: str
    bucket: str

    def settings(self, **changes: Any) -> S3Settings:
        usual = {"bucket": self.bucket, "prefix": PREFIX, "endpoint_url": self.url}
        return S3Settings(**{f"export_s3_{name}": value for name, value in (usual | changes).items()})

    @property
    def client(self) -> Any:
        return boto3.client("s3", endpoint_url=self.url)

    def names(self) -> list[str]:
        """Return the names of all objects below the prefix."""
        found = self.client.list_objects_v2(Bucket=self.bucket).get("Contents", [])
        return [item["Key"].removeprefix(f"{PREFIX}/") for item in found]

    def rows(self) -> list[dict[str, Any]]:
        """Return the rows of every file that is there, whether a manifest lists it or not."""
        with self.downloaded() as folder:
            return read_with_duckdb(f"{folder}/day=*/*.parquet")

    def traces(self, *texts: str) -> dict[str, list[str]]:
        """Return which objects have a text in them."""
        with self.downloaded() as folder:
            return traces_in(folder, *texts)

    @contextmanager
    def downloaded(self) -> Iterator[Path]:
        """Lend a folder with a copy of every object."""
        with TemporaryDirectory() as folder:
            for name in self.names():
                (Path(folder) / name).parent.mkdir(parents=True, exist_ok=True)
                self.client.download_file(self.bucket, f"{PREFIX}/{name}", f"{folder}/{name}")
            yield Path(folder)


@contextmanager
def fake_s3() -> Iterator[FakeS3]:
    with pytest.MonkeyPatch.context() as environment:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            environment.setenv(name, "test")
        environment.setenv("AWS_DEFAULT_REGION", "us-east-1")
        service = FakeS3(f"http://127.0.0.1:{port_of('tests.support.fake_s3_server')}", f"exams-{uuid4().hex[:8]}")
        service.client.create_bucket(Bucket=service.bucket)
        yield service


@contextmanager
def s3_place(_: Path) -> Iterator[Place]:
    with fake_s3() as service:
        address = f"s3:{service.url.rpartition(':')[2]}/{service.bucket}"
        yield Place(lambda: S3(service.settings()), service.rows, service.traces, address)
