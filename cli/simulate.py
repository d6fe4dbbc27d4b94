"""`attemptlog simulate`: a class sits an exam through the real gateway."""

import asyncio
import secrets
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer
import uvloop
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from attemptlog.cli.audit import verdict
from attemptlog.cli.console import err, fact_table, out, print_error, print_json, working_on
from attemptlog.runtime.settings import DEFAULT_GATEWAY, OperatorSettings
from attemptlog.simulation.accounts import Account
from attemptlog.simulation.batches import Mishaps
from attemptlog.simulation.run import Addresses, Exam, class_exam, recorded_exam
from attemptlog.simulation.run import simulate as run_simulation
from attemptlog.simulation.tally import Tally
from attemptlog.simulation.tokens import TokenMint

DEFAULT_CANDIDATES = 30
SEED_OF_FILES = "file"  # the same file is the same events, unless a seed says otherwise
PROGRESS_EVERY = timedelta(seconds=0.1)


def parse_share(text: str | float) -> float:
    """Return "3%" or "0.03" as 0.03; a default comes as the number it is."""
    number = str(text).strip()
    try:
        share = float(number.removesuffix("%")) / (100 if number.endswith("%") else 1)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise typer.BadParameter(f"{text!r} is not a share: write 3% or 0.03")
    return share


def simulate(
    *,
    gateway: Annotated[
        str | None, typer.Option(metavar="URL", help="The gateway.", show_default=DEFAULT_GATEWAY)
    ] = None,
    candidates: Annotated[int, typer.Option(min=1, help="Candidates in the class.")] = DEFAULT_CANDIDATES,
    speed: Annotated[
        float | None,
        typer.Option(min=0.01, help="Times real time.", show_default="as fast as the gateway takes them"),
    ] = None,
    duplicates: Annotated[
        float, typer.Option(metavar="SHARE", parser=parse_share, help="Share of POSTs made twice: 3% or 0.03.")
    ] = 0.0,
    out_of_order: Annotated[bool, typer.Option("--out-of-order", help="Let some batches overtake others.")] = False,
    seed: Annotated[str | None, typer.Option(help="The same seed is the same class.", show_default="random")] = None,
    events: Annotated[
        Path | None,
        typer.Option(metavar="FILE", exists=True, dir_okay=False, help="Replay a recorded log: CSV, gzip allowed."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Have a class sit an exam and account for every event; exit status 1 if one is unaccounted for."""
    settings = OperatorSettings()
    addresses = Addresses(
        gateway_url=gateway or settings.gateway_url or DEFAULT_GATEWAY,
        kafka=settings.kafka,
        database_url=settings.database,
        topic=settings.topic,
    )
    mint = TokenMint(settings.signing_secret, settings.jwt_audience, settings.jwt_issuer)
    seed = seed or (SEED_OF_FILES if events else secrets.token_hex(4))
    mishaps = Mishaps(duplicates, out_of_order, seed)
    exam = _recorded(events, seed, mishaps, speed) if events else class_exam(candidates, seed, mishaps, speed)
    account = run_class(exam, addresses, mint)
    if as_json:
        print_json({"seed": seed} | account.as_data())
    else:
        err.print(f"seed {seed}")
        print_account(account)
    raise typer.Exit(1 if account.problems() else 0)


def _recorded(path: Path, seed: str, mishaps: Mishaps, speed: float | None) -> Exam:
    with working_on(f"Reading {path.name}"):
        return recorded_exam(path, seed, mishaps, speed)


def run_class(
    exam: Exam, addresses: Addresses, mint: TokenMint, *, check: Callable[[], None] = lambda: None
) -> Account:
    """Run the exam with a live line on stderr, and return its account; what `check` raises ends it."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_watched(exam, addresses, mint, check))


async def _watched(exam: Exam, addresses: Addresses, mint: TokenMint, check: Callable[[], None]) -> Account:
    tally = Tally()
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        task = progress.add_task("", total=len(exam.roster.sessions))

        async def show() -> None:
            while True:
                check()
                is_sent = tally.finished_sessions == len(exam.roster.sessions)
                stage = ", waiting until all is stored" if is_sent else ""
                progress.update(task, completed=tally.finished_sessions, description=_live_line(tally) + stage)
                await asyncio.sleep(PROGRESS_EVERY.total_seconds())

        async with asyncio.TaskGroup() as group:
            shown = group.create_task(show())
            account = await run_simulation(exam, addresses, mint, tally)
            shown.cancel()
    return account


def _live_line(tally: Tally) -> str:
    return f"sent {tally.sent:,}, accepted {tally.accepted:,}, rejected {tally.rejected:,}"


def print_account(account: Account) -> None:
    """Print the accounting table and, in red, what is wrong."""
    out.print(fact_table("What became of every event", _facts(account)))
    for problem in account.problems():
        print_error(f"• {problem}")


def _facts(account: Account) -> dict[str, str]:
    tally, growth, freshness = account.tally, account.growth, account.freshness
    facts = {
        "sent": f"{tally.sent:,}" + (f" ({tally.repeated:,} of them repeats)" if tally.repeated else ""),
        "accepted": f"{tally.accepted:,}",
        "rejected": f"{tally.rejected:,}" + "".join(f", {code} {n:,}" for code, n in tally.reasons.items()),
        "not accepted": f"{tally.not_accepted:,}",
        "stored": f"{growth.inserted:,}",
        "duplicates": f"{growth.duplicates:,}",
        "dead letters": f"{growth.dead_lettered:,}",
        "suppressed": f"{growth.suppressed:,}",
        "freshness p50, p99": f"{freshness.p50:.2f} s, {freshness.p99:.2f} s" if freshness else "n/a",
        "events/s": f"{account.events_per_second:,.0f}",
        "audit": verdict(account.audit, allow_pending=True),
    }
    return {name: value for name, value in facts.items() if value != "0" or name not in ("not accepted", "suppressed")}
