from datetime import UTC, datetime, timedelta, timezone

import pytest
import typer

from attemptlog.cli.moments import moment, parse_moment, shown

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90m", NOW - timedelta(minutes=90)),
        ("24h", NOW - timedelta(days=1)),
        ("7d", NOW - timedelta(days=7)),
        ("2026-03-02", datetime(2026, 3, 2, tzinfo=UTC)),
        ("2026-03-02T09:14", datetime(2026, 3, 2, 9, 14, tzinfo=UTC)),
        ("2026-03-02T09:14:05Z", datetime(2026, 3, 2, 9, 14, 5, tzinfo=UTC)),
        ("2026-03-02T09:14+02:00", datetime(2026, 3, 2, 7, 14, tzinfo=UTC)),
    ],
)
def test_a_moment_is_a_date_or_an_age(text: str, expected: datetime) -> None:
    assert moment(text, NOW) == expected


@pytest.mark.parametrize("text", ["", "yesterday", "24", "h", "-1h", "999999d", "2026-13-01"])
def test_anything_else_is_refused_with_what_to_write(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="write 2026-03-02T09:14"):
        parse_moment(text)


def test_moments_are_shown_in_utc() -> None:
    assert shown(datetime(2026, 3, 2, 9, 14, 5, 123456, timezone(timedelta(hours=2)))) == "2026-03-02 07:14:05.123"
    assert shown(None) == ""
