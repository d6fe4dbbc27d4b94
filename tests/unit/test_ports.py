"""Ports of `make run` and `attemptlog up`: which are used, and what is said of those that cannot be."""

import os
import re
import socket
import subprocess
from collections.abc import Iterator

import pytest

from attemptlog.cli import console
from attemptlog.local_pipeline import ports as module
from attemptlog.local_pipeline.ports import Ports
from attemptlog.local_stack import ports as stack_ports
from attemptlog.local_stack.ports import free_port
from attemptlog.runtime.errors import OperatorError
from tests.support.documents import ROOT
from tests.support.own_ports import keep_to_own_ports, share_of


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.mark.parametrize("option", ["gateway", "consumer", "kafka", "postgres", "platform"])
def test_a_taken_port_is_told_with_what_to_type_instead(option: str, taken: int) -> None:
    chosen = {"gateway": free_port(), "consumer": free_port()} | {option: taken}

    with pytest.raises(OperatorError) as told:
        Ports(**chosen).check()

    typed = re.search(rf"`make run {option.upper()}_PORT=(\d+)` or `attemptlog up --{option}-port=\1`", str(told.value))
    assert str(taken) in str(told.value)
    assert typed, told.value
    Ports(**chosen | {option: int(typed[1])}).check()


def test_one_port_for_two_is_told() -> None:
    port = free_port()

    with pytest.raises(OperatorError, match=f"Port {port} is for the gateway and the example platform"):
        Ports(port, free_port(), platform=port).check()


def test_kafka_and_postgresql_make_way_for_a_port_that_is_taken_or_chosen(
    taken: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "KAFKA_PORT", taken)
    monkeypatch.setattr(module, "POSTGRES_PORT", gateway := free_port())
    ports = Ports(gateway, free_port())

    assert ports.kafka_port(console) not in {taken, gateway}
    assert ports.postgres_port(console) not in {taken, gateway}
    assert Ports(gateway, free_port(), 1, 2).kafka_port(console) == 1


@pytest.mark.parametrize("workers", [1, 4, 16])
def test_no_two_workers_of_a_test_run_are_given_the_same_port(workers: int) -> None:
    shares = [set(share_of(worker, workers)) for worker in range(workers)]

    assert sum(map(len, shares)) == len(set().union(*shares))
    assert set().union(*shares).isdisjoint(range(15_000, 30_000)), "from which `attemptlog up` chooses"
    assert min(map(len, shares)) > 300


def test_a_worker_keeps_to_its_ports(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stack_ports, "CANDIDATES", stack_ports.CANDIDATES)
    monkeypatch.setenv("PYTEST_XDIST_WORKER", "gw2")
    monkeypatch.setenv("PYTEST_XDIST_WORKER_COUNT", "4")
    keep_to_own_ports()

    assert {free_port() for _ in range(20)} <= set(share_of(2, 4))


def recipe(target: str, *arguments: str, **environment: str) -> list[str]:
    done = subprocess.run(
        ["make", "--dry-run", target, *arguments],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()[-1].split("attemptlog ")[1].split()


def test_make_run_takes_every_port_that_up_takes() -> None:
    names = ("gateway", "consumer", "kafka", "postgres", "platform")
    given = [f"{name.upper()}_PORT={number}" for number, name in enumerate(names, 8010)]

    options = [word for number, name in enumerate(names, 8010) for word in (f"--{name}-port", str(number))]
    assert recipe("run", *given) == ["up", *options]
    assert recipe("demo", *given) == ["demo", *options[:-2]]


def test_make_run_leaves_alone_what_the_environment_means_for_others() -> None:
    assert recipe("run", KAFKA_PORT="tcp://10.0.0.1:9092", POSTGRES_PORT="5432") == ["up"]
