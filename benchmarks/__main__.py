"""`python -m benchmarks`: the gateway and the consumer against their references, on a stack of their own."""

import json
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from benchmarks import consumer, gateway
from benchmarks.load import School, prepare
from local_stack import LocalStack

GATEWAY_TOPIC, CONSUMER_TOPIC = "bench-gateway", "bench-consumer"

console = Console(stderr=True)
app = typer.Typer(add_completion=False)


@app.command()
def main(
    events: Annotated[int, typer.Option(help="Events sent to each side in a round.", min=10_000)] = 150_000,
    rounds: Annotated[int, typer.Option(help="Rounds, reference and ours in turns; medians are shown.", min=1)] = 3,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Measure gateway and consumer. Absolute figures drift with the machine: the ratios are what counts."""
    with tempfile.TemporaryDirectory() as directory, LocalStack(Path(directory)) as stack:
        gateways, consumers = _measure(stack, events, rounds)
    rows = [
        ("gateway, events per core-second", gateways.ours, "plain gateway", gateways.plain),
        ("consumer, rows/s, one worker", consumers.ours, "COPY + INSERT", consumers.copy_floor),
    ]
    if as_json:
        names = ("figure", "ours", "reference", "of_reference")
        print(json.dumps([dict(zip(names, row, strict=True)) | {"ratio": row[1] / row[3]} for row in rows]))
        return
    table = Table("figure", "ours", "reference", "its figure", "ratio", title=f"{events} events, {rounds} rounds")
    for name, ours, reference, figure in rows:
        table.add_row(name, f"{ours:,.0f}", reference, f"{figure:,.0f}", f"{ours / figure:.2f}")
    Console().print(table)
    print(f"the worker's own CPU: {consumers.cpu_microseconds:.1f} µs per event, its start included")


def _measure(stack: LocalStack, events: int, rounds: int) -> tuple[gateway.GatewayFigure, consumer.ConsumerFigure]:
    servers, database = stack.kafka.bootstrap_servers, prepare(stack, [GATEWAY_TOPIC, CONSUMER_TOPIC])
    school = School.make()
    school.insert(database)
    console.print("gateway …")
    gateways = gateway.measure(gateway.environment_for(servers, database, GATEWAY_TOPIC), school, events, rounds)
    console.print("consumer …")
    return gateways, consumer.measure(consumer.Round(servers, database, CONSUMER_TOPIC, events), rounds)


if __name__ == "__main__":
    app()
