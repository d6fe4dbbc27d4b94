"""Dead letters replayed for an operator, by another login than the one that reads."""

from attemptlog.console.operations_models import ReplayOutcome, ReplayReply
from attemptlog.console.operations_queries import ReplayWish
from attemptlog.console.problems import NotSetUp, Unavailable
from attemptlog.console.services import Services
from attemptlog.event_store.dead_letters import Selection
from attemptlog.event_store.operations import shown_details
from attemptlog.event_store.replays import Verdict, count_outcomes, replay_in_batches, silently
from attemptlog.event_store.viewing import Viewer
from attemptlog.runtime.errors import OperatorError
from attemptlog.runtime.sentences import sentence
from attemptlog.runtime.settings import reveal

RETRY_AFTER = 5.0  # seconds
MAX_NAMED = 5  # letters in a command that is to be typed


async def replay(of: Services, viewer: Viewer, wish: ReplayWish) -> ReplayReply:
    """Replay letters, or try it out; it is kept who did.

    Raises NotSetUp where the console may not, Unavailable for what stops it half way.
    """
    database_url = reveal(of.settings.console_replay_database_url)
    if database_url is None:
        raise NotSetUp(f"this console may not replay: run `{_command(wish)}`")
    verdicts = await _verdicts(of, database_url, viewer.user_id if wish.apply else None, wish.ids)
    async with of.reader.looking(viewer) as connection:
        details = await shown_details(connection, [it.outcome for it in verdicts], [it.detail for it in verdicts])
    return ReplayReply(
        applied=wish.apply,
        outcomes=[
            ReplayOutcome(id=verdict.letter_id, outcome=verdict.outcome, detail=detail)
            for verdict, detail in zip(verdicts, details, strict=True)
        ],
        by_outcome=count_outcomes(verdicts),
    )


async def _verdicts(of: Services, database_url: str, by: str | None, ids: list[int]) -> list[Verdict]:
    try:
        batches = replay_in_batches(database_url, Selection(ids), by, silently, of.pseudonyms)
        return [verdict async for batch in batches for verdict in batch]
    except Exception as error:
        told = str(error) if isinstance(error, OperatorError) else sentence(error)
        if told is None:
            raise
        raise Unavailable(told, retry_after=RETRY_AFTER) from error


def _command(wish: ReplayWish) -> str:
    named = [*map(str, wish.ids[:MAX_NAMED]), *["…"] * (len(wish.ids) > MAX_NAMED)]
    return f"attemptlog dead-letters replay {' '.join(named)}{' --apply' * wish.apply}"
