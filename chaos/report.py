"""What is printed: a line for every round, a table at the end."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from chaos.faults import FAULTS
from chaos.rounds import Outcome, Totals

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)

# Short, so that a terminal of 80 columns shows them all.
COLUMNS = ("rounds", "accepted", "refused", "stored", "dupl", "dead", "slowest")


def print_error(message: str) -> None:
    """Print why the rounds cannot go on."""
    err.print(message, style="bold red", markup=False, soft_wrap=True)


def print_round(number: int, rounds: int, outcome: Outcome) -> None:
    """Print what happened in a round, and in red what went wrong."""
    counts, ledger = outcome.counts, outcome.counts.ledger
    out.print(
        f"{number:>{len(str(rounds))}}/{rounds}  {', '.join(outcome.faults)}: {counts.accepted} accepted, "
        f"{counts.refused} refused, {ledger.inserted} stored, {ledger.duplicates} duplicates, "
        f"{ledger.dead_lettered} dead letters, recovered in {outcome.recovery:.1f} s",
        soft_wrap=True,
    )
    for problem in outcome.problems:
        out.print(f"• {problem}", style="red", markup=False, soft_wrap=True)


def print_table(outcomes: Sequence[Outcome]) -> None:
    """Print a line for every fault with its slowest recovery; a round of several faults counts in the line of each."""
    table = Table(title="Rounds by fault", title_justify="left", box=None, padding=(0, 1, 0, 0))
    for name in ("fault", *COLUMNS, "result"):
        table.add_column(name, justify="left" if name in ("fault", "result") else "right", no_wrap=True)
    for fault in FAULTS:
        if struck := [outcome for outcome in outcomes if fault in outcome.faults]:
            table.add_row(fault, *_cells(struck))
    table.add_row("all rounds", *_cells(outcomes), style="bold")
    out.print(table)


def _cells(outcomes: Sequence[Outcome]) -> list[str]:
    counts = sum((outcome.counts for outcome in outcomes), Totals())
    ledger = counts.ledger
    numbers = (len(outcomes), counts.accepted, counts.refused, ledger.inserted, ledger.duplicates, ledger.dead_lettered)
    failed = sum(bool(outcome.problems) for outcome in outcomes)
    result = f"[red]{failed} bad[/]" if failed else "[green]pass[/]"
    return [*map(str, numbers), f"{max(outcome.recovery for outcome in outcomes):.1f} s", result]
