"""What a migration says of a database that it does not get to."""

import pytest

from attemptlog import migrations
from attemptlog.migrations import MigrationError


def test_a_database_that_cannot_be_reached_is_named_without_its_password() -> None:
    with pytest.raises(MigrationError) as caught:
        migrations.upgrade("postgresql://ada:geheim@127.0.0.1:1/exams?sslmode=disable")
    assert str(caught.value) == "cannot connect to PostgreSQL at 127.0.0.1:1, database exams: Connection refused"


@pytest.mark.parametrize("url", ["postgresq://ada:geheim@db/exams", "postgresql://ada@db/exams?geheim=1", "geheim"])
def test_a_url_that_cannot_be_read_is_not_repeated(url: str) -> None:
    with pytest.raises(MigrationError, match="cannot be read") as caught:
        migrations.current(url)
    assert "geheim" not in str(caught.value)
    assert caught.value.__cause__ is None
