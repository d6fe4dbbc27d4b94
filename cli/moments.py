"""Moments on a command line: a date and time, or how long ago."""

import re
from datetime import UTC, datetime, timedelta

import typer

AGE = re.compile(r"(\d{1,6})([smhd])")
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}

HELP = "2026-03-02T09:14 (UTC unless it says otherwise), or an age: 90m, 24h, 7d."


def parse_moment(text: str) -> datetime:
    """Return a moment as `moment` does, ages counted from now; raise typer.BadParameter for anything else."""
    try:
        return moment(text, datetime.now(UTC))
    except (ValueError, OverflowError):
        raise typer.BadParameter(f"{text!r} is not a moment: write {HELP}") from None


def moment(text: str, now: datetime) -> datetime:
    """Return ISO 8601 or an age as an aware datetime; raises ValueError, or OverflowError before the calendar."""
    if age := AGE.fullmatch(text.strip()):
        return now - timedelta(**{UNITS[age[2]]: int(age[1])})
    found = datetime.fromisoformat(text.strip())
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def shown(when: datetime | None) -> str:
    """Return a moment for people, in UTC with milliseconds."""
    return when.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3] if when else ""
