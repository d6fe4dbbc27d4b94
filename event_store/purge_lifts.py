"""A suppression ends: what comes of a person, or of a session, from then on is stored again."""

from functools import partial
from typing import Any, NamedTuple

from attemptlog.event_store import purge_sql
from attemptlog.event_store.books import Connection
from attemptlog.event_store.errors import StoreError
from attemptlog.event_store.purge_remains import RETENTION
from attemptlog.event_store.purge_subjects import Request, Subject
from attemptlog.event_store.purge_work import Work, rows
from attemptlog.event_store.purges import lock_list
from attemptlog.event_store.suppression import state_of_list
from attemptlog.runtime.errors import OperatorError


class Lift(NamedTuple):
    """What is lifted; `number` is None where nothing was changed. `still` are purges that suppress the subject, too."""

    number: int | None
    purges: list[int]
    entries: int
    still: list[int]


async def lift_subject(database_url: str, subject: Subject, request: Request, *, apply: bool) -> Lift:
    """Lift the suppressions that purges of this subject entered, or say which that would be.

    Raises OperatorError where there are none, and while such a purge is not finished.
    """
    try:
        async with Work(database_url) as work:
            return await work.persist(partial(_lift, subject, request, apply))
    except StoreError as error:
        raise OperatorError(f"Nothing was lifted: {error}.") from error


async def _lift(subject: Subject, request: Request, apply: bool, connection: Connection) -> Lift:
    if apply:
        await lock_list(connection, request.pseudonyms)
    else:
        await state_of_list(connection, request.pseudonyms)
    entry = subject.entry(request)
    found = await rows(connection, purge_sql.SELECT_TO_LIFT, entry)
    purges = [number for number, *_ in found]
    suppressing = await rows(connection, purge_sql.SELECT_SUPPRESSING, entry)
    still = {number: kind for number, kind in suppressing if number not in purges}
    _refuse(found, still)
    lift = Lift(None, purges, sum(entries for *_, entries in found), list(still))
    return lift._replace(number=await _do(connection, entry, lift)) if apply else lift


def _refuse(found: list[Any], still: dict[int, str]) -> None:
    if unfinished := [number for number, is_finished, _ in found if not is_finished]:
        raise OperatorError(f"Purge {unfinished[0]} is not finished: run it again, and lift it then.")
    if found:
        return
    for number, kind in still.items():
        if kind == RETENTION:
            raise OperatorError(f"It went for its age (number {number}), and that is not lifted.")
        raise OperatorError(f"Purge {number} suppresses this session, and is of its person: lift that with --user.")
    raise OperatorError("No purge suppresses this: there is nothing to lift. Check the id.")


async def _do(connection: Connection, entry: dict[str, Any], lift: Lift) -> int:
    await connection.execute(purge_sql.LIFT, {"purges": lift.purges})
    [[number]] = await rows(connection, purge_sql.ENTER_LIFT, entry | lift._asdict())
    return int(number)
