"""The account of `python -m chaos` finds what is wrong: a check that could not fail would prove nothing."""

from chaos.accounting import Buried, Event, Stored, Witness, problems

SESSION = "019aee3c-0000-7000-8000-000000000001"
FIRST, SECOND, THIRD = (Event(SESSION, seq) for seq in (1, 2, 3))


def witness_of(accepted: list[Event], unanswered: list[Event] | None = None) -> Witness:
    kept = Witness(sent={event: f"nonce {event.seq}" for event in (*accepted, *(unanswered or []))})
    kept.accept(accepted)
    return kept


def stored(*events: Event, letters: list[Buried] | None = None) -> Stored:
    return Stored([(event, f"nonce {event.seq}") for event in events], letters or [])


def found(kept: Witness, tables: Stored) -> list[str]:
    """Return the problems without the examples."""
    return [problem.partition(":")[0] for problem in problems(kept, tables)]


def test_numbers_of_another_stream_are_other_events() -> None:
    elsewhere = Event(SESSION, 1, "019aee3c-0000-4000-8000-000000000002")
    assert found(witness_of([FIRST, elsewhere]), stored(FIRST, elsewhere)) == []
    assert found(witness_of([FIRST, elsewhere]), stored(FIRST)) == ["1 events lost"]


def test_every_accepted_event_stored_once_is_no_problem() -> None:
    assert found(witness_of([FIRST, SECOND]), stored(FIRST, SECOND)) == []


def test_an_accepted_event_may_be_a_dead_letter_instead() -> None:
    assert found(witness_of([FIRST, SECOND]), stored(FIRST, letters=[Buried(SECOND, "unknown_session")])) == []


def test_an_event_without_an_answer_may_be_stored_or_not() -> None:
    assert found(witness_of([FIRST], [SECOND, THIRD]), stored(FIRST, THIRD)) == []


def test_an_accepted_event_that_is_nowhere_is_lost() -> None:
    assert list(problems(witness_of([FIRST, SECOND]), stored(FIRST))) == [
        f"1 events lost: accepted, but neither stored nor a dead letter: {SESSION} seq 2"
    ]


def test_an_event_stored_twice_is_found_whether_it_was_accepted_or_not() -> None:
    assert found(witness_of([FIRST]), stored(FIRST, FIRST)) == ["1 events stored more than once"]
    assert found(witness_of([], [FIRST]), stored(FIRST, FIRST)) == ["1 events stored more than once"]


def test_an_event_stored_and_dead_is_there_twice() -> None:
    tables = stored(FIRST, letters=[Buried(FIRST, "seq_conflict")])
    assert found(witness_of([FIRST]), tables) == ["1 events stored and a dead letter too"]


def test_an_event_that_nobody_sent_is_found() -> None:
    assert found(witness_of([FIRST]), stored(FIRST, SECOND)) == ["1 events stored, but nobody sent them"]
    assert found(witness_of([FIRST]), stored(FIRST, letters=[Buried(None, "undecodable")])) == [
        "1 events dead letters, but nobody sent them"
    ]


def test_an_event_with_the_content_of_another_is_found() -> None:
    assert found(witness_of([FIRST]), Stored([(FIRST, "nonce 2")], [])) == [
        "1 events stored with other content than was sent"
    ]


def test_an_answer_that_no_gateway_should_give_is_found() -> None:
    kept = witness_of([FIRST])
    kept.surprises["a gateway answered 500"] += 2
    assert found(kept, stored(FIRST)) == ["a gateway answered 500 (2 times)"]
