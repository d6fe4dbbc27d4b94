"""Who looked at whose data, for auditors."""

from typing import Annotated

from fastapi import Query

from attemptlog.console.guard import ViewerDep, api_router, only
from attemptlog.console.models import Access, AccessPage
from attemptlog.console.services import ServicesDep
from attemptlog.event_store.looks import PAGE_OF_ACCESSES, read_accesses

router = api_router()

MOST = 2**63 - 1  # bigint


@router.get("/api/accesses", dependencies=only("auditor"))
async def accesses(
    viewer: ViewerDep, of: ServicesDep, after: Annotated[int | None, Query(ge=0, le=MOST)] = None
) -> AccessPage:
    """List who looked, newest first."""
    async with of.reader.looking(viewer) as looking:
        rows = await read_accesses(looking, after)
    page = rows[:PAGE_OF_ACCESSES]
    following = str(page[-1]["id"]) if len(rows) > PAGE_OF_ACCESSES else None
    return AccessPage(accesses=[Access.model_validate(row) for row in page], next=following)
