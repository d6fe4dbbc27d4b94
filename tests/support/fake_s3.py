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
from tests.support.export import Place, read_with_duckdb
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
        with TemporaryDirectory() as folder:
            for name in self.names():
                if name.startswith("day="):
                    (Path(folder) / name).parent.mkdir(exist_ok=True)
                    self.client.download_file(self.bucket, f"{PREFIX}/{name}", f"{folder}/{name}")
            return read_with_duckdb(f"{folder}/day=*/*.parquet")


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
        yield Place(lambda: S3(service.settings()), service.rows)
