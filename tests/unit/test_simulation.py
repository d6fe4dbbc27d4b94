from collections import Counter
from datetime import timedelta
from functools import cache
from itertools import groupby, pairwise
from statistics import median

import orjson
import pytest
from typer import BadParameter

from attemptlog.cli.simulate import parse_share
from attemptlog.schemas import IngestRequest, Malformed
from attemptlog.simulation.batches import Mishaps, batches_of
from attemptlog.simulation.candidate import roster_of, sittings_of
from attemptlog.simulation.sitting import EXAM_STARTS_AT, Event, Sitting, elapsed_ms

QUESTIONS = roster_of(600, "a class").question_ids


@cache
def a_class() -> list[Sitting]:
    return list(sittings_of(600, "a class"))


def has_clock_that_steps_back(sitting: Sitting) -> bool:
    return any(after.offset_ms < before.offset_ms for before, after in pairwise(sitting.events))


def busiest_second(sitting: Sitting) -> int:
    return max(Counter(event.offset_ms // 1000 for event in sitting.events).values())


def test_sessions_are_as_long_as_those_of_the_real_log() -> None:
    lengths = [len(sitting.events) for sitting in a_class()]

    assert 120 <= median(lengths) <= 155
    assert min(lengths) >= 18
    assert max(lengths) <= 1075


def test_one_clock_in_eight_steps_back() -> None:
    assert 0.09 <= sum(map(has_clock_that_steps_back, a_class())) / len(a_class()) <= 0.17


def test_the_busiest_second_of_all_holds_22_events() -> None:
    assert max(map(busiest_second, a_class())) == 22


def test_a_session_starts_with_its_creation_ends_with_its_submission_and_counts_without_gaps() -> None:
    for sitting in a_class():
        for _, stream in groupby(sitting.events, key=lambda event: event.stream_id):
            seqs = [event.seq for event in stream]
            assert seqs == list(range(1, len(seqs) + 1))
        assert sitting.events[0].event_type == "SESSION_CREATED"
        assert sitting.events[-1].event_type == "SESSION_SUBMITTED"


def test_candidates_view_answer_change_mark_and_look_away_in_plausible_shares() -> None:
    counts = Counter(event.event_type for sitting in a_class() for event in sitting.events)
    share = {name: count / counts.total() for name, count in counts.items()}

    assert 0.38 <= share["QUESTION_VIEWED"] <= 0.50
    assert share["NAVIGATE_NEXT"] > share["NAVIGATE_PREV"]
    assert 0.05 <= share["ANSWER_SELECTED"] + share["ANSWER_CHANGED"] <= 0.12
    assert share["MARK_FOR_REVIEW_TOGGLED"] > 0
    assert share["PAUSE_BLUR"] > 0


def test_most_pages_send_a_stream_and_a_tenth_of_the_sessions_goes_on_in_another() -> None:
    streams = [{event.stream_id for event in sitting.events} for sitting in a_class()]
    share = {kind: count / len(a_class()) for kind, count in Counter(map(_kind, streams)).items()}
    assert 0.07 <= share["none"] <= 0.13
    assert 0.06 <= share["two"] <= 0.12
    assert len(set.union(*streams) - {None}) == sum(len(ids - {None}) for ids in streams), "a stream of two sessions"


def _kind(streams: set[str | None]) -> str:
    return "none" if streams == {None} else "two" if len(streams) == 2 else "one"


def test_only_questions_of_the_exam_are_named() -> None:
    named = {event.question_id for sitting in a_class() for event in sitting.events}

    assert named - {None} == QUESTIONS


def test_the_same_seed_is_the_same_class_and_another_seed_another() -> None:
    assert list(sittings_of(5, "x")) == list(sittings_of(5, "x"))
    assert roster_of(5, "x").sessions.keys().isdisjoint(roster_of(5, "y").sessions)


def test_every_batch_is_a_request_that_the_gateway_takes() -> None:
    for sitting in a_class()[:20]:
        for batch in batches_of(sitting, Mishaps(), is_paced=False):
            request = IngestRequest.model_validate_json(batch.request(after=1.5))
            events = [event for event in request.events if not isinstance(event, Malformed)]
            assert len(events) == len(batch.seqs)
            assert request.stream_id == batch.stream_id
            if request.stream_id:
                end = EXAM_STARTS_AT + timedelta(milliseconds=sitting.events[-1].offset_ms)
                assert request.sent_at == end + timedelta(seconds=1.5)  # as if there had been no network until then


@pytest.mark.parametrize("is_paced", [True, False])
def test_batches_hold_every_event_once_and_50_at_most(is_paced: bool) -> None:
    for sitting in a_class()[:20]:
        batches = list(batches_of(sitting, Mishaps(), is_paced=is_paced))

        sent = [(batch.stream_id, seq) for batch in batches for seq in batch.seqs]
        assert sent == [(event.stream_id, event.seq) for event in sitting.events]
        assert max(len(batch.seqs) for batch in batches) <= 50
        assert [batch.due for batch in batches] == sorted(batch.due for batch in batches)


def test_a_paced_browser_holds_no_event_longer_than_five_seconds() -> None:
    for sitting in a_class()[:20]:
        numbers = [(event.stream_id, event.seq) for event in sitting.events]
        happened = dict(zip(numbers, elapsed_ms(sitting.events), strict=True))
        for batch in batches_of(sitting, Mishaps(), is_paced=True):
            waited = [batch.due - timedelta(milliseconds=happened[batch.stream_id, seq]) for seq in batch.seqs]
            assert timedelta(0) <= min(waited)
            assert max(waited) <= timedelta(seconds=5)


def test_a_clock_that_steps_back_takes_no_time() -> None:
    events = [Event(n, "PAUSE_BLUR", None, offset, b"{}") for n, offset in enumerate([100, 400, 50, 60])]

    assert elapsed_ms(events) == [0, 300, 300, 310]


def test_a_share_of_posts_is_made_twice() -> None:
    mishaps = Mishaps(duplicates=0.03, seed="s")
    sent = sum(len(batch.seqs) for sitting in a_class() for batch in batches_of(sitting, mishaps, is_paced=False))
    events = sum(len(sitting.events) for sitting in a_class())

    assert 1.01 <= sent / events <= 1.05


def test_out_of_order_batches_are_swapped_and_none_is_lost() -> None:
    mishaps = Mishaps(is_out_of_order=True, seed="s")
    swapped = 0
    for sitting in a_class():
        batches = batches_of(sitting, mishaps, is_paced=False)
        sent = [(batch.stream_id, seq) for batch in batches for seq in batch.seqs]
        happened = [(event.stream_id, event.seq) for event in sitting.events]
        swapped += sent != happened
        assert Counter(sent) == Counter(happened)
    assert swapped > 0


def test_what_happens_to_batches_is_the_same_for_the_same_seed() -> None:
    mishaps = Mishaps(duplicates=0.5, is_out_of_order=True, seed="s")

    first, second = (list(batches_of(a_class()[0], mishaps, is_paced=False)) for _ in range(2))

    assert first == second


def test_payloads_hold_indexes_and_flags_only() -> None:
    values = [value for event in a_class()[0].events for value in orjson.loads(event.payload).values()]

    assert all(isinstance(value, int) or value in ("blur", "focus") for value in values)


@pytest.mark.parametrize(("text", "share"), [("3%", 0.03), ("0.03", 0.03), (" 100% ", 1.0), ("0", 0.0)])
def test_a_share_is_a_percentage_or_a_fraction(text: str, share: float) -> None:
    assert parse_share(text) == pytest.approx(share)


@pytest.mark.parametrize("text", ["3 percent", "-1%", "101%", "1.5", "", "%", "nan"])
def test_what_is_no_share_is_refused(text: str) -> None:
    with pytest.raises(BadParameter, match="write 3% or"):
        parse_share(text)
