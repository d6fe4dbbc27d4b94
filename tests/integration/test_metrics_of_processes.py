"""What a process tells from its first scrape on, and that several are scraped whole; no Kafka and no PostgreSQL."""

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus
from pathlib import Path
from typing import Any, get_args

import httpx
import pytest

from attemptlog.schemas import PageDropReason, RejectionCode
from attemptlog.schemas.dead_letters import DeadLetterReason
from tests.support.consumer import consumer
from tests.support.documents import ROOT, rows, table
from tests.support.eventually import PATIENCE, eventually
from tests.support.exporter import exporter
from tests.support.http import PATH, gateway
from tests.support.series import scraped, values_of

NOBODY = ("127.0.0.1:1", "postgresql://nobody@127.0.0.1:1/nothing", "attempt-events.v1")
REASONS = set(DeadLetterReason)
ENDED = {row[0].strip("`") for row in rows(table(ROOT / "docs/observability.md", "Gateway", 1))}

Known = dict[tuple[str, str], set[Any]]

OF_THE_GATEWAY: Known = {
    ("ingest_requests", "status"): set(map(str, (202, 400, 401, 403, 408, 413, 429, 499, 500, 503))),
    ("ingest_requests_refused", "code"): {"bad_request", "slow_head", "slow_body", "head_too_large", "unavailable"},
    ("ingest_events_rejected", "code"): set(get_args(RejectionCode)),
    ("ingest_events_refused", "code"): {"too_many_events", "internal_error", "unavailable"},
    ("ingest_events_dropped_by_pages", "reason"): set(get_args(PageDropReason)),
    ("ingest_connections_ended", "reason"): ENDED,
    ("ingest_key_fetches", "outcome"): {"ok", "failed"},
    ("ingest_spans", "outcome"): {"kept", "sent", "failed"},
}
OF_THE_CONSUMER: Known = {
    ("consumer_records", "outcome"): {"inserted", "duplicate", "dead_letter", "suppressed", "skipped"},
    ("consumer_dead_letters", "reason"): REASONS,
    ("consumer_dead_letters_retried", "outcome"): REASONS | {"inserted", "duplicate", "suppressed"},
    ("consumer_spans", "outcome"): {"kept", "sent", "failed"},
}
OF_THE_EXPORTER: Known = {
    ("exporter_rows", "target"): {"parquet"},
    ("exporter_batches", "target"): {"parquet"},
    ("exporter_written_bytes", "target"): {"parquet"},
    ("exporter_requests", "outcome"): {"taken", "halved", "refused"},
    ("exporter_failures", "error_class"): {"set_up", "transient", "data"},
    ("exporter_rows_forgotten", "target"): {"parquet"},
}


@contextmanager
def running(service: str, folder: Path) -> Iterator[str]:
    """Run a service that reaches nobody, and yield its URL."""
    if service == "gateway":
        with gateway(*NOBODY, serving="/healthz") as url:
            yield url
    elif service == "consumer":
        with consumer(*NOBODY) as process:
            yield f"http://127.0.0.1:{process.port}"
    else:
        with exporter(NOBODY[1], folder) as url:
            yield url


@pytest.mark.parametrize(
    ("service", "known"),
    [("gateway", OF_THE_GATEWAY), ("consumer", OF_THE_CONSUMER), ("exporter", OF_THE_EXPORTER)],
)
async def test_a_fresh_process_has_every_counter_with_every_label(service: str, known: Known, tmp_path: Path) -> None:
    with running(service, tmp_path) as url:
        text = await eventually(lambda: httpx.get(f"{url}/metrics").text)
    counters = {name: family for name, family in scraped(text).items() if family.type == "counter"}
    labelled = {name for name, family in counters.items() if not family.samples or family.samples[0].labels}
    assert labelled == {f"attemptlog_{name}" for name, _ in known}
    for (name, label), values in known.items():
        assert set(values_of(counters[f"attemptlog_{name}"], label)) == values, name


def workers_of(url: str, name: str = "attemptlog_ingest_requests_total") -> Counter[str]:
    """Return the values of a metric by worker, in one scrape of whichever worker answers."""
    found: Counter[str] = Counter()
    for family in scraped(httpx.get(f"{url}/metrics").raise_for_status().text).values():
        for sample in family.samples:
            assert "worker" in sample.labels
            if sample.name == name:
                found[sample.labels["worker"]] += int(sample.value)
    return found


async def test_a_scrape_of_one_worker_shows_all_of_them() -> None:
    with gateway(*NOBODY, serving="/healthz", workers="3") as url:
        await eventually(lambda: set(workers_of(url)) == {"0", "1", "2"})
        asked = 40
        assert [unauthorized(url) for _ in range(asked)] == [HTTPStatus.UNAUTHORIZED] * asked
        seen = [workers_of(url) for _ in range(10)]
    assert [it.total() for it in seen] == [asked] * 10
    assert all(it == seen[0] for it in seen)


def unauthorized(url: str) -> int:
    """Ask on a connection of its own: whichever worker takes it."""
    return httpx.post(url + PATH, content=b"{}").status_code


async def test_a_worker_that_died_is_replaced_in_the_scrape() -> None:
    with gateway(*NOBODY, serving="/healthz", workers="2") as url:
        await eventually(lambda: set(workers_of(url)) == {"0", "1"})
        [died, *_] = children_that_serve(url)
        os.kill(died, signal.SIGKILL)
        await eventually(lambda: died not in children_that_serve(url) and set(workers_of(url)) == {"0", "1"})


def children_that_serve(url: str) -> list[int]:
    """Return the workers of the gateway at the URL: the children of the process that was given its port."""
    port = url.rpartition(":")[2]
    [gateway_pid] = [pid for pid, line in command_lines() if f"cli ingest --port {port} " in line]
    return [pid for pid, line in command_lines() if "spawn_main" in line and parent_of(pid) == gateway_pid]


def command_lines() -> Iterator[tuple[int, str]]:
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it may have ended
            yield int(process.name), (process / "cmdline").read_text().replace("\0", " ")


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


async def test_consumers_on_one_host_have_a_port_each() -> None:
    with consumer(*NOBODY) as one, consumer(*NOBODY) as other:
        await eventually(lambda: one.metric("records_total", outcome="inserted") == 0)
        await eventually(lambda: other.metric("records_total", outcome="inserted") == 0)
        assert consumer_at(one.port) == (1, True)


def consumer_at(port: int) -> tuple[int, bool]:
    """Start a consumer; return its exit status, and whether it says no more than what to do about the port."""
    settings = {"KAFKA_BOOTSTRAP_SERVERS": NOBODY[0], "DATABASE_URL": NOBODY[1], "CONSUMER_PORT": str(port)}
    done = subprocess.run(
        [sys.executable, "-m", "attemptlog.cli", "consume"],
        env=os.environ | {f"ATTEMPTLOG_{name}": value for name, value in settings.items()},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    return done.returncode, "set ATTEMPTLOG_CONSUMER_PORT" in done.stderr and "Traceback" not in done.stderr
