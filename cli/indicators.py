"""`attemptlog indicators`: what the events say of a session and of an exam, and where they do not say it."""

import asyncio
from collections.abc import Mapping
from typing import Annotated, Any
from uuid import UUID

import typer
from rich.table import Table

from attemptlog.cli import moments
from attemptlog.cli.console import counting, fact_table, out, print_json
from attemptlog.cli.who import ByOption, WhyOption, looker, note
from attemptlog.event_store.figures import bring_up_to_date
from attemptlog.event_store.indicators import ExamFigures, SessionFigures, read_exam_figures, read_session_figures
from attemptlog.runtime.settings import OperatorSettings

REASONS = {
    "gap": "a number is missing",
    "dead_letter": "an event is a dead letter",
    "dropped": "the page dropped events",
    "unnumbered": "the page numbers nothing",
    "no_end": "the session has no end",
    "clock_set": "the page's clock was set",
    "chain": "an answer is missing",
    "not_viewed": "no view",
    "not_answered": "no answer",
    "no_action": "no action",
    "order_unknown": "which came first is unknown",
    "not_measured": "nobody can say how long",
    "not_back": "no return",
    "no_key": "no key in answer_keys",
    "no_marks": "no session has marks",
    "no_spread": "all marks are alike",
    "too_few": "under 30 times",
}
SHORT = 8  # characters of a question's id; --json has it in full

indicators = typer.Typer(no_args_is_help=True, help="Show what the events say of a session or an exam.")


@indicators.command("session", epilog="Example: attemptlog indicators session 01890a5d-ac96-774b-bcce-b302099a8057")
def show_session(
    session_id: Annotated[UUID, typer.Argument(metavar="ID", help="The session.")],
    by: ByOption = None,
    why: WhyOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show the figures of a session and of its questions, or the reason why one cannot be known.

    What each figure means: docs/indicators.md.
    """
    settings = OperatorSettings()
    found = read_session_figures(settings.database, session_id)
    note(settings, looker("indicators session", by, why), user=found.session["user_id"], session=session_id)
    if as_json:
        print_json(found.as_data())
        return
    out.print(fact_table(f"Session {session_id}", _session_facts(found)))
    out.print(_session_table(found))


@indicators.command("exam", epilog="Example: attemptlog indicators exam 5b1f7c1e-0000-4000-8000-000000000000 --json")
def show_exam(
    exam_id: Annotated[UUID, typer.Argument(metavar="ID", help="The exam.")],
    by: ByOption = None,
    why: WhyOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, with each session and the navigation.")] = False,
) -> None:
    """Show the figures of an exam's questions, and how many of the logs behind them are complete.

    Sessions of which something was stored since they were last worked out are worked out first. Which answers are right
    is read from the table answer_keys. What each figure means: docs/indicators.md.
    """
    settings = OperatorSettings()
    with counting("Working out what has changed", "sessions") as progress:
        asyncio.run(bring_up_to_date(settings.database, progress, exam_id))
    found = read_exam_figures(settings.database, exam_id)
    note(settings, looker("indicators exam", by, why))
    if as_json:
        print_json(found.as_data())
        return
    out.print(fact_table(f"Exam {exam_id}", _exam_facts(found)))
    out.print(_exam_table(found))


@indicators.command("refresh", epilog="Example: attemptlog indicators refresh")
def refresh() -> None:
    """Work out the figures of all sessions of which something was stored since they were last worked out.

    After an upgrade to this version these are all sessions there are. It can be interrupted, and goes on; whoever asks
    for an exam meanwhile does not wait for it.
    """
    settings = OperatorSettings()
    with counting("Working out what has changed", "sessions") as progress:
        sessions = asyncio.run(bring_up_to_date(settings.database, progress))
    out.print(f"Sessions worked out: {sessions:,}.")


def figure(row: Mapping[str, Any], name: str, reason: str, unit: str = "") -> str:
    """Return a figure as text, or why it is not known; `unit` is "s" for one that is in milliseconds."""
    if row[reason] is not None and row[name] is None:
        return f"unknown: {REASONS.get(row[reason], row[reason])}"
    return _text(row[name], unit)


def _text(value: Any, unit: str = "") -> str:
    if value is None:
        return ""
    return f"{float(value) / 1000:,.1f} s" if unit == "s" else f"{value:,}"


def _session_facts(found: SessionFigures) -> dict[str, str]:
    row = found.session
    reason = row["log_reason"]
    return {
        "exam": str(row["exam_id"] or "none"),
        "completion": row["completion"],
        "log": "complete, as far as can be known" if reason is None else f"not complete: {REASONS[reason]}",
        "began (UTC)": moments.shown(row["began_at"]),
        "ended (UTC)": moments.shown(row["ended_at"]),
        "from the first view to the end": figure(row, "time_ms", "time_reason", "s"),
        "to the first action": figure(row, "first_action_ms", "first_action_reason", "s"),
        "actions": figure(row, "actions", "counts_reason"),
        "visits": figure(row, "visits", "counts_reason"),
        "revisits": figure(row, "revisits", "counts_reason"),
        "absences": figure(row, "absences", "counts_reason"),
        "of unknown length": figure(row, "absences_of_unknown_length", "counts_reason"),
        "known absence": figure(row, "absences_known_ms", "counts_reason", "s"),
        "questions answered": figure(row, "answered", "answers_reason"),
        "answers changed": figure(row, "changes", "answers_reason"),
        "wrong to right": figure(row, "wrong_to_right", "marks_reason"),
        "right to wrong": figure(row, "right_to_wrong", "marks_reason"),
        "marks": figure(row, "marks", "marks_reason"),
    }


def _session_table(found: SessionFigures) -> Table:
    table = _table("question", "visits", "on screen", "to answer", "changes", "mark")
    for row in found.questions:
        table.add_row(
            str(row["question_id"])[:SHORT],
            figure(row, "visits", "visits_reason"),
            figure(row, "dwell_ms", "dwell_reason", "s"),
            figure(row, "first_answer_ms", "first_answer_reason", "s"),
            figure(row, "changes", "answers_reason"),
            figure(row, "mark", "mark_reason"),
        )
    return table


def _exam_facts(found: ExamFigures) -> dict[str, str]:
    completion = ", ".join(f"{count} {name}" for name, count in sorted(found.completion.items()))
    fresh = found.freshness
    return {
        "complete logs": f"{found.complete} of {len(found.sessions)}",
        "sessions": completion or "none with events",
        "as of (UTC)": moments.shown(fresh.as_of) if fresh.as_of else "not known yet",
        "changed since": f"{fresh.due:,} sessions",
    }


def _exam_table(found: ExamFigures) -> Table:
    table = _table("question", "times", "mean", "median", "rapid", "marks", "facility", "discr.", "eff.", "changed")
    for row in found.questions:
        table.add_row(
            str(row["question_id"])[:SHORT],
            _text(row["times"]),
            _text(row["mean_ms"], "s"),
            _text(row["median_ms"], "s"),
            "too few" if row["rapid"] is None else _text(row["rapid"]),
            "no key" if row["marks_reason"] == "no_key" else _text(row["marked"]),
            *(_share(row[name]) for name in ("facility", "discrimination", "efficiency")),
            _text(row["changed"]),
        )
    return table


def _share(value: Any) -> str:
    return "" if value is None else f"{float(value):.2f}"


def _table(first: str, *others: str) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column(first, no_wrap=True)
    for name in others:
        table.add_column(name, justify="right")
    return table
