"""What operators look at, and what they may do about it. No answer to an operator names a person."""

from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import Query

from attemptlog.console.contract import expected, faults
from attemptlog.console.guard import ViewerDep, api_router, only
from attemptlog.console.operations_models import (
    Audit,
    DeadLetter,
    DeadLetterInList,
    DeadLetterPage,
    LivePage,
    Operations,
    ReplayReply,
)
from attemptlog.console.operations_queries import BIGGEST_ID, LetterId, LiveQuery, ReplayWish
from attemptlog.console.overview import overview
from attemptlog.console.problems import NotFound
from attemptlog.console.replaying import replay
from attemptlog.console.services import Services, ServicesDep
from attemptlog.event_store.letter_looks import note_look_into
from attemptlog.event_store.operations import Wanted, list_letters, read_letter, read_stored_events
from attemptlog.event_store.viewing import Viewer
from attemptlog.schemas.dead_letters import DeadLetterReason

LETTERS_A_PAGE = 50
LIVE_EVENTS = 100  # of one look
LOOKED_AT = 10_000  # events of one look, of which those that fit are counted: 20 ms of PostgreSQL's time

router = api_router()

LOOKERS = only("operator", "auditor")


@router.get("/api/operations", dependencies=LOOKERS)
async def operations(of: ServicesDep) -> Operations:
    """Say what comes, what waits and what is stored; within 0.3 s, whatever is away."""
    return overview(await of.watch.seen(), of.settings.topic, datetime.now(UTC))


@router.get("/api/operations/dead-letters", dependencies=LOOKERS)
async def dead_letters(
    viewer: ViewerDep,
    of: ServicesDep,
    reason: DeadLetterReason | None = None,
    state: Literal["open", "settled"] | None = None,
    after: LetterId | None = None,
) -> DeadLetterPage:
    """List dead letters, the newest first."""
    settled = None if state is None else state == "settled"
    async with of.reader.looking(viewer) as connection:
        counts, rows = await list_letters(connection, reason, settled, after, LETTERS_A_PAGE + 1)
    letters = [DeadLetterInList.model_validate(_named(row)) for row in rows[:LETTERS_A_PAGE]]
    more = str(letters[-1].id) if len(rows) > LETTERS_A_PAGE else None
    return DeadLetterPage(total=sum(counts.values()), by_reason=counts, letters=letters, next=more)


@router.get("/api/operations/dead-letters/{letter_id}", dependencies=LOOKERS)
async def dead_letter(letter_id: int, viewer: ViewerDep, of: ServicesDep) -> DeadLetter:
    """Show what came beside what the contract asks for."""
    if not 1 <= letter_id <= BIGGEST_ID or not await _may_be_shown(letter_id, viewer, of):
        raise NotFound
    async with of.reader.looking(viewer) as connection:
        row = await read_letter(connection, letter_id)
    if row is None:
        raise NotFound
    event_type, shape = row["event_type"], row["shape"]
    compared = {
        "expected": expected(event_type),
        "faults": faults(shape, event_type, row["detail"]) if shape is not None else [],
    }
    return DeadLetter.model_validate(_named(row) | compared)


@router.post("/api/operations/replays", dependencies=only("operator"))
async def replays(wish: ReplayWish, viewer: ViewerDep, of: ServicesDep) -> ReplayReply:
    """Say what a replay of dead letters would do, or do it."""
    return await replay(of, viewer, wish)


@router.get("/api/operations/live", dependencies=LOOKERS)
async def live(viewer: ViewerDep, of: ServicesDep, query: Annotated[LiveQuery, Query()]) -> LivePage:
    """List what was stored after a cursor; nothing is listed twice, and what is not listed is counted."""
    wanted = Wanted(query.after, query.event_type, query.source, query.exam)
    async with of.reader.looking(viewer) as connection:
        found = await read_stored_events(connection, wanted, most=LIVE_EVENTS, looked_at=LOOKED_AT)
    return LivePage.model_validate(found, from_attributes=True)


@router.get("/api/operations/audit", dependencies=LOOKERS)
async def last_audit(of: ServicesDep) -> Audit:
    """Return the last audit of this process."""
    if of.audits.last is None:
        raise NotFound
    return of.audits.last


@router.post("/api/operations/audit", dependencies=LOOKERS)
async def run_audit(of: ServicesDep) -> Audit:
    """Audit now."""
    return await of.audits.run()


async def _may_be_shown(letter_id: int, viewer: Viewer, of: Services) -> bool:
    """Say whether a letter may be shown, once it is kept who sees what is in it: an operator does not."""
    if viewer.role != "auditor":
        return True
    async with of.reader.writing(viewer) as writing:
        return await note_look_into(writing, viewer, letter_id, of.pseudonyms)


def _named(row: dict[str, object]) -> dict[str, object]:
    """Return a dead letter's row with the names of the API."""
    return row | {"record_offset": row["kafka_offset"], "outcome": row["replay_outcome"]}
