"""From a body to a batch."""

from attemptlog.ingest_api import by_contract, quick
from attemptlog.ingest_api.batch import Batch, Event, Refused
from attemptlog.schemas import Rejection
from attemptlog.schemas.numbers import ROUNDED, holds_rounded, may_be_rounded


def parse(body: bytes) -> Batch:
    """Return the batch in a body; raise BadBody."""
    batch = quick.read(body) or by_contract.read(body)
    if may_be_rounded(body, b"".join([it.payload for it in batch.events if isinstance(it, Event)])):
        _refuse_rounded(batch.events, body)
    return batch


def _refuse_rounded(events: list[Event | Refused], body: bytes) -> None:
    """Refuse events whose payload is not what was sent: parsing has rounded a number in it."""
    sent = by_contract.loads_body(body)["events"]
    for index, event in enumerate(events):
        if isinstance(event, Event) and holds_rounded(sent[index].get("payload")):
            rejection = Rejection(index=index, code="invalid_field", message=f"payload: {ROUNDED}")
            events[index] = Refused(rejection, event.session_id)
