"""Where something of a purge may be left, and until when."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from attemptlog.event_store.purge_remains import DONE, KEPT, PENDING, UNKNOWN, UNTIL, Place, Stay, places
from attemptlog.runtime.topic_stay import CLEANING, longest_stay_of

BEGUN = datetime(2026, 3, 2, 9, tzinfo=UTC)
FINISHED = BEGUN + timedelta(minutes=1)
WEEK = timedelta(days=7)
PURGE = {"keeps_exports": False, "started_at": BEGUN, "finished_at": FINISHED}
IN_KAFKA = {"retention.ms": "604800000", "segment.ms": "86400000", "cleanup.policy": "delete"}


KAFKA = Stay(WEEK, "")


def found(purge: dict[str, Any] = PURGE, days: int | None = None, stay: Stay = KAFKA, **targets: Any) -> Any:
    return {place.name: place for place in places(purge, targets, stay, days)}


def test_a_purge_that_is_not_finished_is_pending() -> None:
    at = found(PURGE | {"finished_at": None}, 30)
    assert [at[name].state for name in ("PostgreSQL", "backups")] == [PENDING, PENDING]
    assert found(days=30)["PostgreSQL"][:3] == ("PostgreSQL", DONE, FINISHED)


def test_a_target_is_done_since_then_or_pending() -> None:
    at = found(parquet=(FINISHED, 12), duckdb=None, xapi=(FINISHED, None))
    assert at["parquet"][:4] == ("parquet", DONE, FINISHED, 12)
    assert at["duckdb"].state == PENDING
    assert "attemptlog export run --target duckdb --once" in at["duckdb"].note
    assert (at["xapi"].state, at["xapi"].rows) == (UNKNOWN, None)


def test_what_a_retention_leaves_in_targets_is_kept() -> None:
    at = found(PURGE | {"keeps_exports": True}, parquet=None, snowflake=None)
    assert [at[name].state for name in ("parquet", "snowflake")] == [KEPT, KEPT]
    assert "snowflake, behind it" not in at


@pytest.mark.parametrize(
    ("done", "state", "until"), [((FINISHED, 3), UNTIL, FINISHED + timedelta(days=97)), (None, UNKNOWN, None)]
)
def test_snowflake_can_travel_back_for_a_while(done: Any, state: str, until: datetime | None) -> None:
    assert found(snowflake=done)["snowflake, behind it"][:3] == ("snowflake, behind it", state, until)


@pytest.mark.parametrize("name", ["s3", "xapi"])
def test_what_nobody_can_tell_the_end_of_is_said(name: str) -> None:
    targets: dict[str, Any] = {name: (FINISHED, 1)}
    assert found(**targets)[f"{name}, behind it"].state == UNKNOWN


def test_kafka_and_backups_are_gone_by_a_date_or_it_is_said_why_that_is_unknown() -> None:
    at = found(days=30)
    assert at["Kafka"].when == BEGUN + WEEK
    assert at["backups"].when == FINISHED + timedelta(days=30)
    at = found(stay=Stay(None, "away"))
    assert at["Kafka"] == Place("Kafka", UNKNOWN, note="away")
    assert "ATTEMPTLOG_BACKUP_RETENTION" in at["backups"].note


def test_a_record_stays_as_long_as_the_file_that_it_is_in() -> None:
    assert longest_stay_of(IN_KAFKA) == timedelta(days=8) + CLEANING


@pytest.mark.parametrize("configs", [{"retention.ms": "-1"}, {"cleanup.policy": "compact"}])
def test_nothing_ends_what_is_kept_for_ever_or_compacted(configs: dict[str, str]) -> None:
    assert longest_stay_of(IN_KAFKA | configs) is None


def test_what_is_compacted_and_deleted_is_deleted() -> None:
    assert longest_stay_of(IN_KAFKA | {"cleanup.policy": "compact,delete"}) == timedelta(days=8) + CLEANING
