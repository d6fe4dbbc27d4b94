"""The event logger in a thread of its own: with real processes, real forks and a real Kafka."""

import asyncio
import subprocess
import sys
import uuid
from collections import Counter
from typing import Any

import pytest

from attemptlog.schemas import Envelope
from tests.integration.test_event_logger import read
from tests.support.documents import ROOT
from tests.support.eventually import PATIENCE

SET_UP = """
import logging, multiprocessing, os, sys, threading, time, uuid
from prometheus_client import CollectorRegistry
from attemptlog.publisher import KafkaPublisher, ThreadedEventLogger
from attemptlog.publisher.metrics import Metrics

logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # a topic that is new has no leader yet, and it says so
servers, topic, session = sys.argv[1:4]
registry = CollectorRegistry()
events = ThreadedEventLogger(lambda: KafkaPublisher(servers, topic=topic), metrics=Metrics(registry))

def log(*seqs, who=session):
    for seq in seqs:
        events.log_event("PAUSE_BLUR", session_id=who, user_id=who, seq=seq, payload={"state": "blur"})

def value(name, **labels):
    return registry.get_sample_value(f"attemptlog_logger_{name}", labels)

def until_published(count):
    deadline = time.monotonic() + 60
    while value("events_published_total") < count:
        assert time.monotonic() < deadline, value("events_published_total")
        time.sleep(0.01)

def books_balance():
    dropped = sum(it.value for it in registry.collect() for it in it.samples if it.name.endswith("dropped_total"))
    return value("events_logged_total") == value("events_published_total") + dropped + value("queued_events")
"""


def run(program: str, bootstrap_servers: str, topic: str, status: int = 0) -> Counter[Any]:
    """Run a program whose events are of one session; return how often each seq is in the topic."""
    session = str(uuid.uuid4())
    done = subprocess.run(
        [sys.executable, "-c", SET_UP + program, bootstrap_servers, topic, session],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert (done.returncode, done.stderr) == (status, "")
    return session_seqs(bootstrap_servers, topic, session)


def session_seqs(bootstrap_servers: str, topic: str, session: str) -> Counter[Any]:
    found: list[Envelope] = asyncio.run(read(bootstrap_servers, topic))
    return Counter(it.seq for it in found if it.session_id == session)


def test_a_script_that_ends_at_once_delivers_what_it_logged(kafka_bootstrap: str, topic: str) -> None:
    localhost = kafka_bootstrap.replace("127.0.0.1", "localhost")  # a name has to be looked up as the interpreter ends
    assert run("log(*range(500))", localhost, topic) == Counter(range(500))


def test_so_does_one_that_ends_by_exit_or_by_an_error(kafka_bootstrap: str, topic: str) -> None:
    assert run("log(1)\nsys.exit(3)", kafka_bootstrap, topic, status=3) == Counter([1])


def test_it_may_be_called_on_any_thread(kafka_bootstrap: str, topic: str) -> None:
    program = """
threads = [threading.Thread(target=log, args=range(start, start + 100)) for start in range(0, 1000, 100)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
events.close()
assert value("events_published_total") == 1000 and books_balance()
events.log_event("PAUSE_BLUR", session_id=session, user_id=session)
assert value("events_dropped_total", reason="closed") == 1 and books_balance()
"""
    assert run(program, kafka_bootstrap, topic) == Counter(range(1000))


@pytest.mark.parametrize("parent_has_logged", [True, False])
def test_forked_workers_deliver_their_own_events_and_the_parent_its_own(
    parent_has_logged: bool, kafka_bootstrap: str, topic: str
) -> None:
    program = f"""
if {parent_has_logged}:
    log(*range(5))
    until_published(5)
children = []
for number in range(1, 4):
    if (child := os.fork()) == 0:
        assert value("events_logged_total") == 0 and value("queued_events") == 0
        log(*range(number * 10, number * 10 + 5))
        until_published(5)
        assert books_balance()
        sys.exit(0)
    children.append(child)
assert [os.waitpid(child, 0)[1] for child in children] == [0, 0, 0]
log(*range(90, 95))
until_published(10 if {parent_has_logged} else 5)
assert books_balance()
"""
    expected = [*range(10, 15), *range(20, 25), *range(30, 35), *range(90, 95)]
    assert run(program, kafka_bootstrap, topic) == Counter(expected + [*range(5)] * parent_has_logged)


def test_a_child_that_ends_at_once_delivers_too_and_its_parent_is_not_disturbed(
    kafka_bootstrap: str, topic: str
) -> None:
    program = """
def child(number):
    log(*range(number * 10, number * 10 + 5))

log(0)
until_published(1)
fork = multiprocessing.get_context("fork")
children = [fork.Process(target=child, args=[number]) for number in range(1, 4)]
[it.start() for it in children]
[it.join() for it in children]
assert [it.exitcode for it in children] == [0, 0, 0]
for seq in range(100, 110):  # over the connection from before the forks
    log(seq)
    until_published(seq - 98)
"""
    expected = [0, *range(10, 15), *range(20, 25), *range(30, 35), *range(100, 110)]
    assert run(program, kafka_bootstrap, topic) == Counter(expected)


def test_a_fork_in_the_midst_of_logging_neither_hangs_nor_loses(kafka_bootstrap: str, topic: str) -> None:
    program = """
busy = threading.Thread(target=lambda: [(log(seq), time.sleep(0.0005)) for seq in range(1000)])
busy.start()
children = []
for number in range(10):
    time.sleep(0.02)
    if (child := os.fork()) == 0:
        log(10_000 + number)
        sys.exit(0)
    children.append(child)
busy.join()
assert [os.waitpid(child, 0)[1] for child in children] == [0] * 10
"""
    assert run(program, kafka_bootstrap, topic) == Counter([*range(1000), *range(10_000, 10_010)])


def test_a_child_that_logs_nothing_leaves_quietly(kafka_bootstrap: str, topic: str) -> None:
    program = """
import gc
log(0)
until_published(1)
if (child := os.fork()) == 0:
    gc.collect()
    sys.exit(0)
assert os.waitpid(child, 0)[1] == 0
log(1)
until_published(2)
"""
    assert run(program, kafka_bootstrap, topic) == Counter([0, 1])


def test_without_kafka_a_script_ends_within_the_deadline_and_says_what_it_lost() -> None:
    program = SET_UP.replace("topic=topic)", "topic=topic), stop_deadline=__import__('datetime').timedelta(seconds=1)")
    done = subprocess.run(
        [sys.executable, "-c", program + "log(*range(5))", "127.0.0.1:1", "t", str(uuid.uuid4())],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0
    assert "events were dropped: 5 undelivered" in done.stderr
