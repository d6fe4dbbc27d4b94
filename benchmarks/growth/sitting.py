"""A class, as a consumer takes it."""

import gc
from dataclasses import dataclass, replace

from attemptlog.event_store.decoding import Batch
from attemptlog.schemas import new_event_id
from attemptlog.simulation.sitting import Roster
from benchmarks.export_column import batches_of
from benchmarks.school import School


@dataclass(frozen=True, slots=True)
class Sitting:
    """Who sits, and batches with `size` events, each counted once."""

    roster: Roster
    size: int
    batches: list[Batch]


def sitting(candidates: int, number: int, batch: int, *, in_order: bool) -> Sitting:
    """Return a class; each number has ids of its own, and those of sessions are random or come in order."""
    school = School.made_up(candidates, f"growth-{number}")
    if in_order:
        school = with_ids_in_order(school)
    it = Sitting(school.roster, school.size, list(batches_of(school.envelopes(), batch)))
    gc.freeze()  # or every collection looks at all of it
    return it


def with_ids_in_order(school: School) -> School:
    """Return the class as a platform enrols it whose sessions have UUIDv7."""
    ids = {session: new_event_id() for session in school.session_ids}
    sessions = {ids[session]: user for session, user in school.roster.sessions.items()}
    sittings = [replace(sitting, session_id=ids[sitting.session_id]) for sitting in school.sittings]
    return School(school.seed, replace(school.roster, sessions=sessions), sittings)
