"""The `attemptlog` command as documents and deployments call it, and what each call reads from its environment."""

from typing import Any

import typer.main
from pydantic_settings import BaseSettings

from attemptlog.cli.app import app
from attemptlog.console.settings import ConsoleSettings
from attemptlog.consumer.settings import ConsumerSettings
from attemptlog.exporter.parquet import ParquetSettings
from attemptlog.exporter.settings import ExporterSettings
from attemptlog.ingest_api.settings import IngestSettings
from attemptlog.runtime.settings import OperatorSettings

COMMANDS: Any = typer.main.get_command(app)
OF_LIBPQ = {"PGPASSWORD"}

_SERVICES: dict[str, tuple[type[BaseSettings], ...]] = {
    "ingest": (IngestSettings,),
    "consume": (ConsumerSettings,),
    "console": (ConsoleSettings,),
    "export run --target parquet": (ExporterSettings, ParquetSettings),
}


def command_of(words: list[str]) -> tuple[Any, str, list[str]]:
    """Return a command, its name and its options; of a group, the subcommand."""
    group, (name, *options) = COMMANDS, words
    while hasattr(found := group.get_command(None, name), "list_commands") and options:
        if found.invoke_without_command and options[0].startswith("-"):
            break
        group, (name, *options) = found, options
    return found, name, options


def settings_of(words: list[str]) -> tuple[type[BaseSettings], ...]:
    """Return the classes of settings that a call makes."""
    called = " ".join(words)
    return next((classes for call, classes in _SERVICES.items() if called.startswith(call)), (OperatorSettings,))


def read_by(words: list[str]) -> set[str]:
    """Return the variables that a call reads."""
    return {variable(name) for each in settings_of(words) for name in each.model_fields} | OF_LIBPQ


def required_by(words: list[str]) -> set[str]:
    """Return the variables without which a service does not start."""
    return {
        variable(name)
        for each in settings_of(words)
        for name, field in each.model_fields.items()
        if field.is_required()
    }


def variable(field: str) -> str:
    return f"ATTEMPTLOG_{field.upper()}"
