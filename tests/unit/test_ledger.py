import pytest

from attemptlog.event_store.accounts import Audit, Counts, Gone, PartitionAccount
from attemptlog.runtime.admin import Offsets

STORED = Counts(
    next_offset=100, records=100, inserted=90, duplicates=7, dead_lettered=2, suppressed=1, dead_letter_rows=2
)


def account(counts: Counts = STORED, begin: int = 0, end: int = 100) -> PartitionAccount:
    return PartitionAccount(0, Offsets(begin, end), counts)


def test_a_partition_that_adds_up_has_no_problems() -> None:
    assert list(account().problems()) == []


def test_records_behind_the_end_are_pending_unless_that_is_allowed() -> None:
    behind = account(end=130)

    assert behind.pending == 30
    assert list(behind.problems()) == ["30 records are not stored yet"]
    assert list(behind.problems(allow_pending=True)) == []


def test_an_empty_partition_without_a_ledger_row_agrees() -> None:
    assert list(account(Counts(), end=0).problems()) == []


def test_offsets_that_expired_before_they_were_stored_are_lost_and_not_pending() -> None:
    expired = account(begin=150, end=160)

    assert (expired.lost, expired.pending) == (50, 10)
    assert "50 records expired in Kafka before they were stored" in list(expired.problems())


def test_a_hole_that_the_consumer_passed_is_lost() -> None:
    assert account(Counts(next_offset=100, records=97, inserted=97)).lost == 3


def test_records_that_kafka_deleted_after_they_were_stored_are_not_lost() -> None:
    assert account(begin=80).lost == 0


@pytest.mark.parametrize("partition", [account(end=99), PartitionAccount(0, None, STORED)])
def test_a_ledger_ahead_of_kafka_means_another_topic(partition: PartitionAccount) -> None:
    assert list(partition.problems()) == ["the ledger is ahead of Kafka: the topic was deleted or created anew"]


def test_records_that_do_not_add_up_are_a_problem() -> None:
    short = Counts(next_offset=100, records=100, inserted=99)

    assert list(account(short).problems()) == ["100 records, but 99 inserted, duplicate, dead-lettered or suppressed"]


def test_a_missing_dead_letter_is_a_problem() -> None:
    short = Counts(next_offset=2, records=2, dead_lettered=2, dead_letter_rows=1)

    assert list(account(short, end=2).problems()) == ["2 dead-lettered, but 1 rows in dead_letters"]


def test_an_audit_names_the_partition_and_compares_the_table() -> None:
    audit = Audit("attempt-events.v1", [account(end=130)], inserted_in_all=90, events=89)

    assert audit.problems() == [
        "partition 0: 30 records are not stored yet",
        "the ledger says 90 inserted, attempt_events has 89 rows",
    ]
    assert audit.as_data()["agrees"] is False


def test_what_replays_of_dead_letters_stored_is_expected_in_the_table() -> None:
    agreeing = Audit("attempt-events.v1", [account()], inserted_in_all=90, events=92, replayed_in_all=2)
    short = Audit("attempt-events.v1", [account()], inserted_in_all=90, events=91, replayed_in_all=2)

    assert agreeing.problems() == []
    assert short.problems() == ["the ledger says 90 inserted and replays 2, attempt_events has 91 rows"]


def test_a_log_that_is_not_the_ledgers_is_a_problem_whatever_its_numbers_are() -> None:
    audit = Audit("t", [account()], inserted_in_all=90, events=90, objections=["it is another"])

    assert audit.problems() == ["this is not the log that is stored: it is another; see `attemptlog accept-log`"]


def test_what_was_before_an_accepted_log_is_not_lost_in_it() -> None:
    later = Counts(next_offset=100, records=60, inserted=60, first_offset=40)

    assert (account(later).lost, account(later, begin=40).lost) == (0, 0)
    assert account(Counts(next_offset=100, records=57, inserted=57, first_offset=40)).lost == 3


def test_the_books_of_earlier_logs_are_part_of_the_audit() -> None:
    closed = Counts(next_offset=9, records=5, inserted=3, dead_lettered=2, dead_letter_rows=2)
    short = Counts(next_offset=5, records=5, inserted=3, dead_lettered=2, dead_letter_rows=1)

    assert Audit("t", [account()], inserted_in_all=93, events=93, closed=closed).problems() == []
    assert Audit("t", [], 3, 3, closed_logs=1, closed=closed).as_data()["earlier_logs"]["lost"] == 4
    assert Audit("t", [account()], inserted_in_all=93, events=93, closed=short).problems() == [
        "earlier logs: 2 dead-lettered, but 1 rows in dead_letters"
    ]


def test_what_was_purged_is_not_missing() -> None:
    purged = Counts(next_offset=2, records=2, dead_lettered=2, dead_letter_rows=1, purged_letters=1)
    again = Counts(next_offset=2, records=2, dead_lettered=2, dead_letter_rows=2, purged_letters=1)

    assert list(account(purged, end=2).problems()) == []
    assert list(account(again, end=2).problems()) == ["2 dead-lettered, but 2 rows in dead_letters and 1 were purged"]
    assert Audit("t", [], 0, 0, closed=purged).problems() == []


def test_events_that_are_gone_and_events_that_are_there_are_all_that_were_stored() -> None:
    gone = Gone(by_purge=20, by_retention=30, letters=2)
    agreeing = Audit("t", [account()], inserted_in_all=90, events=42, replayed_in_all=2, gone=gone)
    back = Audit("t", [account()], inserted_in_all=90, events=41, gone=gone)

    assert agreeing.problems() == []
    assert agreeing.as_data()["gone"] == {"by_purge": 20, "by_retention": 30, "letters": 2}
    assert back.problems() == ["the ledger says 90 inserted, attempt_events has 41 rows and 50 are gone"]


def test_an_audit_that_agrees_says_so() -> None:
    audit = Audit("attempt-events.v1", [account()], inserted_in_all=90, events=90)

    assert audit.as_data()["agrees"] is True
    assert audit.total == STORED


def test_counts_grow_field_by_field() -> None:
    assert (STORED + STORED) - STORED == STORED
