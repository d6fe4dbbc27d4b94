"""What is special about S3; what holds for every target is in test_export_targets.py."""

import io
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import polars
import pyarrow.dataset
import pyarrow.fs
import pytest

from attemptlog.exporter.errors import DataError, Fenced, SetUpError, TransientError
from attemptlog.exporter.rows import SCHEMA, Chunk
from attemptlog.exporter.s3 import S3, from_environment
from attemptlog.exporter.s3_bucket import Bucket
from attemptlog.exporter.target import Batch
from tests.support.export import MONDAY, chunk_of, event
from tests.support.fake_s3 import PREFIX, FakeS3, fake_s3

BATCHES = "_attemptlog/batches/"


@pytest.fixture
def service() -> Iterator[FakeS3]:
    with fake_s3() as service:
        yield service


@pytest.fixture
def target(service: FakeS3) -> Iterator[S3]:
    with S3(service.settings()) as target:
        target.claim(1)
        yield target


def write(target: S3, *rows: dict[str, Any], batch: Batch | None = None) -> Any:
    return target.write(batch or Batch(uuid4()), iter([chunk_of(rows)]))


def key(service: FakeS3, beginning: str) -> str:
    [name] = [name for name in service.names() if name.startswith(beginning)]
    return f"{PREFIX}/{name}"


def test_it_is_laid_out_as_the_directory_is(service: FakeS3, target: S3) -> None:
    batch = uuid4()
    write(target, event(), batch=Batch(batch, attempt=3))
    assert sorted(service.names()) == [
        "_attemptlog/batches/" + f"{1:010}-{batch}-3.json",
        "_attemptlog/head.json",
        "_attemptlog/probe",
        f"day=2026-03-02/{batch}-3-1.parquet",
    ]


def test_a_writer_that_stopped_right_after_its_commit_has_committed(service: FakeS3, target: S3) -> None:
    batch = uuid4()
    write(target, event())
    receipt = write(target, event(), batch=Batch(batch))
    [latest] = [name for name in service.names() if str(batch) in name and name.startswith(BATCHES)]
    service.client.delete_object(Bucket=service.bucket, Key=f"{PREFIX}/{latest}")
    with S3(service.settings()) as another:
        assert another.committed(batch) == receipt
        assert another.latest() == batch
        assert another.days()[MONDAY.date()].rows == 2
        another.claim(2)
        assert len(service.rows()) == 2
        write(another, event())
    assert len([name for name in service.names() if name.startswith(BATCHES)]) == 3


def test_a_writer_that_is_replaced_before_its_commit_is_refused_and_takes_its_files_away(
    service: FakeS3, target: S3
) -> None:
    newer = S3(service.settings())

    def replaced() -> Iterator[Chunk]:
        yield chunk_of([event()])
        newer.claim(2)
        write(newer, event())

    with pytest.raises(Fenced, match="fence 2, ours is 1"):
        target.write(Batch(uuid4()), replaced())
    assert len(service.rows()) == 1
    newer.__exit__()


def test_a_commit_that_goes_through_while_its_batch_is_sent_again_is_found(service: FakeS3, target: S3) -> None:
    row, batch = event(), uuid4()

    def sent_again() -> Iterator[Chunk]:
        with S3(service.settings()) as earlier:
            earlier.claim(1)
            write(earlier, row, batch=Batch(batch))
        yield chunk_of([row])

    with pytest.raises(TransientError, match="at work"):
        target.write(Batch(batch, attempt=2), sent_again())
    assert write(target, row, batch=Batch(batch, attempt=3)) == target.committed(batch)
    assert [manifest for manifest in service.names() if manifest.startswith(BATCHES)] == [
        f"{BATCHES}{1:010}-{batch}-1.json"
    ]
    target.claim(2)
    assert len(service.rows()) == 1


def test_an_answer_that_got_lost_and_a_second_request_are_one_commit(
    service: FakeS3, target: S3, monkeypatch: pytest.MonkeyPatch
) -> None:
    """boto3 asks again by itself, and is told that the object is not the one it was."""
    put = Bucket.put

    def twice(self: Bucket, *what: Any) -> str:
        put(self, *what)
        return put(self, *what)

    monkeypatch.setattr(Bucket, "put", twice)
    for _ in range(2):
        write(target, event())
    assert len(service.rows()) == 2


def test_a_service_that_ignores_conditions_is_refused(service: FakeS3, monkeypatch: pytest.MonkeyPatch) -> None:
    def whatever(self: Bucket, name: str, content: bytes, instead_of: str | None) -> str:
        self.upload(content, name)
        return ""

    monkeypatch.setattr(Bucket, "put", whatever)
    with S3(service.settings()) as target, pytest.raises(SetUpError, match="ignores If-Match"):
        target.claim(1)


@pytest.mark.parametrize(
    ("beginning", "change"), [("day=", "cut"), ("day=", "gone"), (BATCHES, "cut"), ("_attemptlog/head.json", "cut")]
)
def test_what_is_damaged_is_named_and_never_skipped(service: FakeS3, target: S3, beginning: str, change: str) -> None:
    write(target, event())
    damaged = key(service, beginning)
    if beginning == BATCHES:
        write(target, event())  # or it would be the head's, which is read from there
    if change == "cut":
        content = service.client.get_object(Bucket=service.bucket, Key=damaged)["Body"].read()
        service.client.put_object(Bucket=service.bucket, Key=damaged, Body=content[: len(content) // 2])
    else:
        service.client.delete_object(Bucket=service.bucket, Key=damaged)
    with pytest.raises(DataError, match="put it back"):
        target.days()


def test_a_bucket_that_is_not_there_is_for_an_operator(service: FakeS3) -> None:
    with S3(service.settings(bucket="nowhere")) as target, pytest.raises(SetUpError, match=r"nowhere.*NoSuchBucket"):
        target.claim(1)


def test_a_service_that_is_away_is_tried_again_later(service: FakeS3) -> None:
    url = "http://127.0.0.1:1"
    with S3(service.settings(endpoint_url=url)) as target, pytest.raises(TransientError, match=url):
        target.latest()


@pytest.mark.parametrize("url", ["not a URL", "127.0.0.1:9000"])
def test_a_wrong_url_is_for_an_operator(service: FakeS3, url: str) -> None:
    with S3(service.settings(endpoint_url=url)) as target, pytest.raises(SetUpError):
        target.latest()


def test_without_credentials_it_is_for_an_operator(service: FakeS3, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with S3(service.settings()) as target, pytest.raises(SetUpError, match="credentials"):
        target.latest()


def test_the_environment_describes_it(service: FakeS3, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATTEMPTLOG_EXPORT_S3_BUCKET", service.bucket)
    monkeypatch.setenv("ATTEMPTLOG_EXPORT_S3_ENDPOINT_URL", service.url)
    with from_environment() as target:
        target.claim(1)
        write(target, event())
    names = [item["Key"] for item in service.client.list_objects_v2(Bucket=service.bucket)["Contents"]]
    assert len(names) == 4
    assert not any(name.startswith("/") for name in names)


def test_polars_and_arrow_read_it(service: FakeS3, target: S3) -> None:
    rows = [event(), event()]
    write(target, *rows)
    address = service.url.removeprefix("http://")
    place = f"{service.bucket}/{PREFIX}"
    files = pyarrow.fs.S3FileSystem(endpoint_override=address, scheme="http", region="us-east-1")
    found = pyarrow.dataset.dataset(place, filesystem=files, format="parquet", partitioning="hive").to_table()
    assert found.select(SCHEMA.names).cast(SCHEMA).to_pylist() == rows
    options = {"aws_endpoint_url": service.url, "aws_allow_http": "true", "aws_region": "us-east-1"}
    scanned = polars.scan_parquet(f"s3://{place}/day=*/*.parquet", storage_options=options)
    assert scanned.select(polars.len()).collect().item() == 2


def test_a_file_is_read_where_it_is_needed(service: FakeS3, target: S3) -> None:
    content = bytes(range(256)) * 10
    bucket = Bucket(service.bucket, endpoint_url=service.url)
    bucket.upload(content, "object")
    with bucket.open("object") as file:
        file.seek(-4, io.SEEK_END)
        assert file.read() == content[-4:]
        file.seek(300)
        assert (file.read(5), file.tell()) == (content[300:305], 305)
        assert file.read() == content[305:]
        assert file.read() == b""
    bucket.close()
