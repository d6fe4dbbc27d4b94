"""`attemptlog topics`: the topic as the pipeline needs it."""

import asyncio
from dataclasses import asdict
from typing import Annotated

import typer

from attemptlog.cli.console import out, print_json, working_on
from attemptlog.runtime.settings import OperatorSettings
from attemptlog.runtime.topics import TopicState, ensure_topic


def topics(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Create the topic, or say how the one that is there differs; exit status 1 if it does."""
    settings = OperatorSettings()
    with working_on("Asking Kafka"):
        state = asyncio.run(ensure_topic(settings.kafka, settings.topic))
    if as_json:
        print_json(asdict(state))
    else:
        _print(state)
    raise typer.Exit(1 if state.differences else 0)


def _print(state: TopicState) -> None:
    layout = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in asdict(state.layout).items())
    out.print(f"{state.topic} {'created' if state.is_new else 'is there'}: {layout}", soft_wrap=True)
    for difference in state.differences:
        out.print(f"• {difference}", style="red", soft_wrap=True)
    for command in state.commands:
        out.print(f"  {command}", markup=False, soft_wrap=True)
