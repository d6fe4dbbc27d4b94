import hmac
from uuid import UUID

import pytest
from pydantic import SecretStr, TypeAdapter, ValidationError

from attemptlog.event_store.suppression import MAX_IDS_IN_RECORD, ids_in
from attemptlog.runtime.pseudonyms import MIN_KEY_LENGTH, PseudonymKey, Pseudonyms, pseudonyms_of
from attemptlog.runtime.suppressions import Subjects, as_array, by_pseudonym, key_fault, subjects

KEY = "k" * MIN_KEY_LENGTH
OURS = Pseudonyms(KEY)
PERSON = b"0d4d2a5e-7a1e-4b43-8a53-0f4a3c1f9b6d"
SESSION = b"77777777-7777-4777-8777-777777777777"


def test_a_pseudonym_is_made_as_rfc_2104_says() -> None:
    assert OURS.of_user(PERSON) == hmac.digest(KEY.encode(), b"user:" + PERSON, "sha256")[:16].hex()
    assert OURS.of_session(PERSON) == hmac.digest(KEY.encode(), b"session:" + PERSON, "sha256")[:16].hex()


def test_another_key_makes_other_pseudonyms() -> None:
    another = Pseudonyms("l" * MIN_KEY_LENGTH)
    assert another.of_user(PERSON) != OURS.of_user(PERSON)
    assert another.fingerprint != OURS.fingerprint


@pytest.mark.parametrize("text", ["", "k" * (MIN_KEY_LENGTH - 1)])
def test_a_short_key_is_refused(text: str) -> None:
    with pytest.raises(ValidationError, match=str(MIN_KEY_LENGTH)):
        TypeAdapter(PseudonymKey).validate_python(text)


def test_a_key_is_a_secret_that_may_be_left_out() -> None:
    key = TypeAdapter(PseudonymKey).validate_python(KEY)
    assert isinstance(key, SecretStr)
    made = pseudonyms_of(key)
    assert made is not None
    assert made.fingerprint == OURS.fingerprint
    assert pseudonyms_of(TypeAdapter(PseudonymKey).validate_python(None)) is None


def test_a_list_asks_for_the_key_it_was_made_with() -> None:
    assert key_fault(None, None) is None
    assert key_fault(None, OURS) is None
    assert key_fault(OURS.fingerprint, OURS) is None
    for wrong, what in ((None, "none is set"), (Pseudonyms("l" * MIN_KEY_LENGTH), "another one is set")):
        fault = key_fault(OURS.fingerprint, wrong)
        assert fault is not None
        assert what in fault
        assert "set ATTEMPTLOG_PSEUDONYM_KEY" in fault
        assert KEY not in fault


def test_what_was_found_is_led_back_to_whom_it_stands_for() -> None:
    named = by_pseudonym(OURS, [PERSON, SESSION], [PERSON, SESSION])
    assert len(named) == 4, "a person and a session with the same id are two"
    found = [UUID(OURS.of_user(PERSON)), UUID(OURS.of_session(SESSION))]
    assert subjects(named, found) == Subjects(frozenset({PERSON}), frozenset({SESSION}))
    assert as_array(["a", "b"]) == "{a,b}"
    assert as_array([]) == "{}"


@pytest.mark.parametrize(
    "text",
    [
        PERSON,
        PERSON.upper(),
        PERSON.replace(b"-", b""),
        b"urn:uuid:%b" % PERSON,
        b'{"user_id":"{%b}"' % PERSON.upper(),
        b"\xff\x00%b\xff" % PERSON,
    ],
)
def test_an_id_is_found_in_whatever_is_no_envelope(text: bytes) -> None:
    assert ids_in(None, text) == {PERSON}


def test_ids_are_found_in_key_and_value() -> None:
    assert ids_in(SESSION, b"[%b,%b]" % (PERSON, PERSON)) == {PERSON, SESSION}
    assert ids_in(None, None) == ids_in(b"", b"0d4d2a5e-7a1e-4b43-8a53") == frozenset()


def test_only_so_many_ids_of_a_record_are_looked_up() -> None:
    text = b",".join(b"%032x" % number for number in range(MAX_IDS_IN_RECORD + 1))
    found = ids_in(text)
    assert len(found) == MAX_IDS_IN_RECORD
    assert str(UUID(int=MAX_IDS_IN_RECORD)).encode() not in found
