"""`attemptlog up`: the whole pipeline on this machine until Ctrl-C."""

import secrets
import shutil
import time
from typing import Annotated

import typer

from attemptlog.cli import console
from attemptlog.cli.console import err, out
from attemptlog.cli.simulate import DEFAULT_CANDIDATES, print_account, run_class
from attemptlog.local_pipeline.pipeline import Pipeline, running_pipeline
from attemptlog.local_pipeline.platform import is_here
from attemptlog.local_pipeline.ports import Ports
from attemptlog.local_stack.postgres import BINARIES
from attemptlog.runtime.settings import ENVIRONMENT_FILE, STACK_DIRECTORY, OperatorSettings
from attemptlog.simulation.accounts import Account
from attemptlog.simulation.batches import Mishaps
from attemptlog.simulation.run import class_exam

WATCH_SECONDS = 0.5

Candidates = Annotated[int, typer.Option(min=0, help="Candidates in the simulated class; 0 for none.")]
GatewayPort = Annotated[int, typer.Option(min=1, max=65535, help="The gateway's port.")]
ConsumerPort = Annotated[int, typer.Option(min=1, max=65535, help="The port of the consumer's health and metrics.")]
KafkaPort = Annotated[
    int | None, typer.Option(min=1, max=65535, help="Kafka's port.", show_default="9092, or a free one")
]
ConsolePort = Annotated[int, typer.Option(min=1, max=65535, help="The console's port.")]
PlatformPort = Annotated[int, typer.Option(min=1, max=65535, help="The example platform's port.")]
PostgresPort = Annotated[
    int | None, typer.Option(min=1, max=65535, help="PostgreSQL's port.", show_default="5432, or a free one")
]


def up(
    *,
    candidates: Candidates = DEFAULT_CANDIDATES,
    gateway_port: GatewayPort = 8000,
    consumer_port: ConsumerPort = 8001,
    kafka_port: KafkaPort = None,
    postgres_port: PostgresPort = None,
    platform_port: PlatformPort = 8080,
    console_port: ConsolePort = 8003,
) -> None:
    """Start everything here, have a class sit an exam, and stay until Ctrl-C.

    Kafka and PostgreSQL keep their data in .attemptlog; those that ATTEMPTLOG_KAFKA_BOOTSTRAP_SERVERS and
    ATTEMPTLOG_DATABASE_URL name are used instead.
    """
    platform = platform_port if is_here() else None
    ports = Ports(gateway_port, consumer_port, kafka_port, postgres_port, platform, console_port)
    try:
        with running_pipeline(STACK_DIRECTORY.absolute(), ports, OperatorSettings(_env_file=None), console) as pipeline:
            sit_exam(pipeline, candidates)
            _show_where_to_look(pipeline)
            while True:
                pipeline.check()
                time.sleep(WATCH_SECONDS)
    except KeyboardInterrupt:
        out.print("Stopped.")


def sit_exam(pipeline: Pipeline, candidates: int) -> Account | None:
    """Have a new class sit an exam through the gateway and print its account; None for a class of 0."""
    if not candidates:
        return None
    exam = class_exam(candidates, secrets.token_hex(4), Mishaps())
    account = run_class(exam, pipeline.addresses, pipeline.mint, check=pipeline.check)
    print_account(account)
    return account


def _show_where_to_look(pipeline: Pipeline) -> None:
    gateway, consumer, addresses = pipeline.gateway, pipeline.consumer, pipeline.addresses
    pages = _pages(pipeline)
    psql = "psql" if shutil.which("psql") else f"'{BINARIES / 'psql'}'"
    logs = [each.log for each in (*pipeline.services, *pipeline.servers)]
    lines = pages | {
        "gateway": f"{gateway.url}   {gateway.url}/docs   {gateway.url}/metrics",
        "consumer": f"{consumer.url}/readyz   {consumer.url}/metrics",
        "Kafka": f"{addresses.kafka}   topic {addresses.topic}",
        "PostgreSQL": f'. {ENVIRONMENT_FILE} && {psql} "$ATTEMPTLOG_DATABASE_URL"',
        "account": "attemptlog audit   attemptlog simulate   attemptlog doctor   (in this folder, from .venv/bin)",
        "logs": "   ".join(str(log.relative_to(STACK_DIRECTORY.absolute().parent)) for log in logs),
    }
    out.print()
    for name, text in lines.items():
        out.print(f"[bold]{name:<11}[/]{text}", soft_wrap=True)
    err.print("\nRunning; Ctrl-C stops everything.")


def _pages(pipeline: Pipeline) -> dict[str, str]:
    if pipeline.platform is None:
        return {"console": pipeline.console.url} if pipeline.console else {}
    url = pipeline.platform.url
    return {
        "exam": f"{url}   sit one and watch its events arrive",
        "console": f"{url}/console?as=auditor   what the events say, also as=examiner and as=operator",
    }
