"""What the candidates witnessed against what PostgreSQL holds, event by event. Pure, except for `read_stored`."""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import psycopg

from attemptlog.schemas import Undecodable, decode

EXAMPLES = 3  # events named in a sentence

SELECT_EVENTS = """
SELECT session_id::text, seq, stream_id::text, payload_json ->> 'nonce'
FROM attempt_events
"""

SELECT_DEAD_LETTERS = """
SELECT reason, value
FROM dead_letters
WHERE replay_outcome IS NULL OR replay_outcome NOT IN ('inserted', 'duplicate')
"""


class Event(NamedTuple):
    """What a candidate knows an event by."""

    session_id: str
    seq: int | None
    stream_id: str | None = None


class Buried(NamedTuple):
    """A dead letter; `event` is None when its record is no envelope."""

    event: Event | None
    reason: str


@dataclass(slots=True)
class Witness:
    """What the candidates know. `sent` maps every event that ever left to its nonce, which is in its payload.

    The counts are of events, as often as they were sent: `taken` were answered for with "accepted", `refused` were
    not, whatever the reason was. `surprises` are answers that no gateway should give to these candidates.
    """

    sent: dict[Event, str] = field(default_factory=dict)
    accepted: set[Event] = field(default_factory=set)
    taken: int = 0
    refused: int = 0
    surprises: Counter[str] = field(default_factory=Counter)
    slowest_answer: float = 0.0  # seconds, in this round; one that was not waited for any longer counts too

    def accept(self, events: Collection[Event]) -> None:
        self.accepted.update(events)
        self.taken += len(events)


@dataclass(frozen=True, slots=True)
class Stored:
    """What PostgreSQL holds: events with their nonces, and dead letters."""

    events: Sequence[tuple[Event, str | None]]
    letters: Sequence[Buried]


def problems(witness: Witness, stored: Stored) -> Iterator[str]:
    """Yield a sentence for everything that is not as promised.

    Promised is: an accepted event is stored exactly once or is a dead letter, one that was not accepted is stored at
    most once, and nothing is there that nobody sent.
    """
    times_stored = Counter(event for event, _ in stored.events)
    dead = {letter.event for letter in stored.letters}
    found: dict[str, Collection[Event | None]] = {
        "lost: accepted, but neither stored nor a dead letter": witness.accepted - times_stored.keys() - dead,
        "stored more than once": {event for event, times in times_stored.items() if times > 1},
        "stored and a dead letter too": times_stored.keys() & dead,
        "stored, but nobody sent them": times_stored.keys() - witness.sent.keys(),
        "dead letters, but nobody sent them": dead - witness.sent.keys(),
        "stored with other content than was sent": {
            event for event, nonce in stored.events if witness.sent.get(event, nonce) != nonce
        },
    }
    for what, events in found.items():
        if events:
            yield f"{len(events)} events {what}: {_examples(events)}"
    for surprise, times in witness.surprises.items():
        yield f"{surprise} ({times} times)"


def _examples(events: Collection[Event | None]) -> str:
    shown = [f"{event.session_id} seq {event.seq}" if event else "no envelope" for event in list(events)[:EXAMPLES]]
    return ", ".join(shown) + (" …" if len(events) > EXAMPLES else "")


async def read_stored(database_url: str) -> Stored:
    """Read both tables in one snapshot."""
    async with await psycopg.AsyncConnection.connect(database_url) as connection:
        await connection.set_isolation_level(psycopg.IsolationLevel.REPEATABLE_READ)
        events = await (await connection.execute(SELECT_EVENTS)).fetchall()
        letters = await (await connection.execute(SELECT_DEAD_LETTERS)).fetchall()
    return Stored(
        [(Event(*known_by), nonce) for *known_by, nonce in events],
        [Buried(_event_in(value), reason) for reason, value in letters],
    )


def _event_in(value: bytes | None) -> Event | None:
    try:
        envelope = decode(value)
    except Undecodable:
        return None
    return Event(envelope.session_id, envelope.seq, envelope.stream_id)
