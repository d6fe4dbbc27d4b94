"""`python -m benchmarks.backlog`: the memory of a consumer that finds a long backlog, small records or the largest."""

import asyncio
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import psutil
import psycopg
import typer
from rich.console import Console

from benchmarks.consumer import Round, stored, worker
from benchmarks.load import School, prepare
from local_stack import LocalStack
from publisher import KafkaPublisher
from schemas import MAX_PAYLOAD_BYTES, Envelope

TOPIC = "bench-backlog"
CHUNK = 5_000  # envelopes a publish
SAMPLE_INTERVAL = 0.1  # seconds
LARGEST = b'{"a":"' + b"x" * (MAX_PAYLOAD_BYTES - 8) + b'"}'

console = Console(stderr=True)
app = typer.Typer(add_completion=False)


@app.command()
def main(
    records: Annotated[int, typer.Option(help="Records that wait.", min=1)] = 5_000_000,
    largest: Annotated[bool, typer.Option(help="Give each the largest legal payload.")] = False,
    seconds: Annotated[float, typer.Option(help="How long to watch, at most.", min=1)] = 120,
) -> None:
    """Print the peak of the consumer's memory while it works on a backlog."""
    with tempfile.TemporaryDirectory() as directory, LocalStack(Path(directory)) as stack:
        school, database = School.make(), prepare(stack, [TOPIC])
        school.insert(database)
        it = Round(stack.kafka.bootstrap_servers, database, TOPIC, records)
        asyncio.run(_publish(it, school.envelopes(records), largest=largest))
        peak, done = _watch(it, seconds)
    print(f"{records:,} records waited; {done:,} stored meanwhile; the consumer's RSS peaked at {peak / 1e6:.0f} MB")


async def _publish(it: Round, envelopes: Iterator[Envelope], *, largest: bool) -> None:
    async with KafkaPublisher(it.bootstrap_servers, topic=it.topic, max_buffered_bytes=2**30) as publisher:
        while not publisher.is_ready:  # noqa: ASYNC110
            await asyncio.sleep(SAMPLE_INTERVAL)
        for start in range(0, it.events, CHUNK):
            chunk = [envelope for _, envelope in zip(range(CHUNK), envelopes, strict=False)]
            await publisher.publish([replace(e, payload_json=LARGEST) for e in chunk] if largest else chunk)
            if start % 500_000 == 0:
                console.print(f"{start:,} published …")


def _watch(it: Round, seconds: float) -> tuple[int, int]:
    peak, done, until = 0, 0, time.monotonic() + seconds
    with psycopg.connect(it.database_url, autocommit=True) as connection, worker(it) as process:
        memory = psutil.Process(process.pid)
        while done < it.events and time.monotonic() < until:
            peak = max(peak, memory.memory_info().rss)
            done = stored(connection, it.topic)
            time.sleep(SAMPLE_INTERVAL)
    return peak, done


if __name__ == "__main__":
    app()
