"""Which events of a batch are taken. Pure: what it needs to know is passed in."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from attemptlog.ingest_api.batch import Batch, Event, Refused
from attemptlog.ingest_api.sessions import Session
from attemptlog.schemas import Envelope, Rejection, new_event_id


@dataclass(frozen=True, slots=True)
class Admission:
    """The envelopes of the events that are taken, and why the others are not, both in the order of the batch."""

    envelopes: list[Envelope]
    rejections: list[Rejection]

    @property
    def is_forbidden(self) -> bool:
        """True when an event was refused for its session or its question."""
        return any(it.code in {"session_not_owned", "question_not_in_session"} for it in self.rejections)

    def sessions_without_a_question(self, batch: Batch) -> set[str]:
        """Return the sessions of events refused for their question, which may have been added a moment ago."""
        if not self.rejections:
            return set()
        refused = (batch.events[it.index] for it in self.rejections if it.code == "question_not_in_session")
        return {event.session_id for event in refused if isinstance(event, Event)}


def named_sessions(batch: Batch, rejections: Collection[Rejection]) -> set[str]:
    """Return the sessions that refused events name, also those that are no event otherwise."""
    named = (batch.events[it.index].session_id for it in rejections)
    return {it for it in named if it is not None}


def without(admission: Admission, too_large: Collection[str]) -> Admission:
    """Return an admission in which the envelopes with these ids are refused, for the topic does not take them."""
    refused = {rejection.index for rejection in admission.rejections}
    places = [place for place in range(len(admission.envelopes) + len(refused)) if place not in refused]
    rejections = [
        Rejection(index=place, code="payload_too_large", message="the event is larger than Kafka's topic takes")
        for place, envelope in zip(places, admission.envelopes, strict=True)
        if envelope.id in too_large
    ]
    return Admission(
        [it for it in admission.envelopes if it.id not in too_large],
        sorted(admission.rejections + rejections, key=lambda it: it.index),
    )


def session_ids(batch: Batch) -> set[str]:
    """Return the sessions that the well-formed events name."""
    return {event.session_id for event in batch.events if isinstance(event, Event)}


def admit(batch: Batch, user_id: str, sessions: Mapping[str, Session | None], received_at: datetime) -> Admission:
    """Decide on every event. One whose session is not in `sessions` is taken: the consumer checks again.

    What the page has dropped goes with the first event that is taken.
    """
    admission = Admission([], [])
    for index, event in enumerate(batch.events):
        if isinstance(event, Refused):
            admission.rejections.append(event.rejection)
        elif (rejection := _rejection(index, event, user_id, sessions)) is not None:
            admission.rejections.append(rejection)
        else:
            admission.envelopes.append(_envelope(event, user_id, batch, received_at))
    if batch.dropped and admission.envelopes:
        admission.envelopes[0].dropped = batch.dropped
    return admission


def _rejection(index: int, event: Event, user_id: str, sessions: Mapping[str, Session | None]) -> Rejection | None:
    if event.session_id not in sessions:
        return None
    session = sessions[event.session_id]
    if session is None or session.user_id != user_id:  # one answer for both: no way to find out which sessions exist
        return Rejection(index=index, code="session_not_owned", message="no such session of this user")
    if event.question_id is None or session.questions is None or event.question_id in session.questions:
        return None
    return Rejection(index=index, code="question_not_in_session", message="the session's exam has no such question")


def _envelope(event: Event, user_id: str, batch: Batch, received_at: datetime) -> Envelope:
    return Envelope(
        id=new_event_id(),
        event_type=event.event_type,
        event_ts=received_at,
        client_ts=event.client_ts,
        seq=event.seq,
        session_id=event.session_id,
        user_id=user_id,
        question_id=event.question_id,
        source=batch.source,
        payload_json=event.payload,
        stream_id=batch.stream_id,
        sent_at=batch.sent_at,
    )
