"""`attemptlog demo`: as `up`, but it stops by itself."""

from typing import Annotated

import typer

from attemptlog.cli import console
from attemptlog.cli.console import print_error
from attemptlog.cli.interrupts import INTERRUPTED
from attemptlog.cli.simulate import DEFAULT_CANDIDATES
from attemptlog.cli.up import ConsumerPort, GatewayPort, KafkaPort, PostgresPort, sit_exam
from attemptlog.local_pipeline.pipeline import running_pipeline
from attemptlog.local_pipeline.ports import Ports
from attemptlog.runtime.settings import STACK_DIRECTORY, OperatorSettings


def demo(
    *,
    candidates: Annotated[int, typer.Option(min=1, help="Candidates in the class.")] = DEFAULT_CANDIDATES,
    gateway_port: GatewayPort = 8000,
    consumer_port: ConsumerPort = 8001,
    kafka_port: KafkaPort = None,
    postgres_port: PostgresPort = None,
) -> None:
    """Start everything here, have a class sit an exam, and stop; exit status 0 only if every event is accounted for."""
    ports = Ports(gateway_port, consumer_port, kafka_port, postgres_port)
    try:
        with running_pipeline(STACK_DIRECTORY.absolute(), ports, OperatorSettings(_env_file=None), console) as pipeline:
            account = sit_exam(pipeline, candidates)
    except KeyboardInterrupt:
        print_error("Interrupted before the class was accounted for.")
        raise typer.Exit(INTERRUPTED) from None
    raise typer.Exit(1 if account is None or account.problems() else 0)
