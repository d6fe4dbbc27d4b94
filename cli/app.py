"""The `attemptlog` command: its subcommands, and the one place where an error becomes a sentence."""

import logging
from importlib import import_module
from importlib.metadata import version
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from attemptlog.cli.console import print_error
from attemptlog.cli.extras import extra_of
from attemptlog.cli.interrupts import raise_interrupts
from attemptlog.runtime.extras import MissingExtra, require
from attemptlog.runtime.sentences import sentence

EXAMPLES = {
    "up": "attemptlog up --candidates 100",
    "demo": "attemptlog demo",
    "down": "attemptlog down",
    "ingest": "attemptlog ingest --host 0.0.0.0 --port 8000 --workers 4",
    "consume": "attemptlog consume",
    "console": "attemptlog console",
    "migrate": "attemptlog migrate",
    "topics": "attemptlog topics --json",
    "audit": "attemptlog audit --wait 30",
    "accept-log": "attemptlog accept-log --apply",
    "dead-letters": "attemptlog dead-letters list --reason unknown_session",
    "sessions": "attemptlog sessions gaps --since 24h",
    "indicators": "attemptlog indicators exam 5b1f7c1e-0000-4000-8000-000000000000",
    "export": "attemptlog export run --target parquet --once",
    "person": "attemptlog person report --user 01890a5d-ac96-774b-bcce-b302099a8057 --html person.html",
    "purge": 'attemptlog purge --user 01890a5d-ac96-774b-bcce-b302099a8057 --reason "asked for it" --apply',
    "retention": "attemptlog retention --older-than 400d --apply",
    "simulate": "attemptlog simulate --candidates 200 --duplicates 3% --out-of-order",
    "schema": "attemptlog schema asyncapi > asyncapi.json",
    "doctor": "attemptlog doctor",
}

MODULES = {"console": "serve_console"}  # whose module is not named for them: `console` is the terminal's
SERVERS = frozenset(
    {"ingest", "consume", "console"}
)  # they take over the signals when they serve, and have nothing before


def module_of(command: str) -> str:
    """Return the name of a subcommand's module, and of what it is there."""
    return MODULES.get(command, command.replace("-", "_"))


class Commands(TyperGroup):
    """The subcommands, each a module of its own; an operator's mistake ends in one red sentence."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names in the order of the help."""
        return list(EXAMPLES)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a subcommand, None when there is none of that name."""
        if cmd_name not in EXAMPLES:
            return None
        extra = extra_of(cmd_name)
        try:
            require(extra, f"`attemptlog {cmd_name}`")
        except MissingExtra as error:
            return _refusing(cmd_name, error, description=f"Needs the extra {extra}, which is not installed.")
        # only now, because all of them together take seconds to import
        name, epilog = module_of(cmd_name), f"Example: {EXAMPLES[cmd_name]}"
        found = getattr(import_module(f"attemptlog.cli.{name}"), name)
        alone = typer.Typer(add_completion=False)
        if isinstance(found, typer.Typer):  # it has subcommands of its own
            alone.add_typer(found, name=cmd_name, epilog=epilog)
            group: Any = get_command(alone)
            return group.get_command(ctx, cmd_name)
        alone.command(cmd_name, epilog=epilog)(found)
        return get_command(alone)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the subcommand, which is imported by then, and what is left of the command line."""
        resolved = super().resolve_command(ctx, args)
        if resolved[0] not in SERVERS:
            raise_interrupts()
        return resolved

    def invoke(self, ctx: Any) -> Any:
        """Run the subcommand that the command line names."""
        try:
            return super().invoke(ctx)
        except Exception as error:
            if (message := sentence(error)) is None:
                raise
            print_error(message)
            raise typer.Exit(1) from error


def _refusing(name: str, error: MissingExtra, description: str) -> Any:
    def refuse() -> None:
        raise error

    return TyperCommand(
        name,
        callback=refuse,
        help=description,
        add_help_option=False,
        context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
    )


def _print_version(is_wanted: bool) -> None:
    if is_wanted:
        print(f"attemptlog {version('attemptlog')}")
        raise typer.Exit


app = typer.Typer(cls=Commands, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def attemptlog(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Test-session telemetry you can account for."""


def main() -> None:
    """Run the command that the command line names."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # what it logs, the command says in a sentence
    app(prog_name="attemptlog")
