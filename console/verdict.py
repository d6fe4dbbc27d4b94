"""What the audit says of a session's log, in sentences that also say what they do not say. Pure."""

from collections.abc import Iterator

from attemptlog.console.models import AttemptSummary, Verdict

ENDS = {
    "submitted": "The session was submitted.",
    "expired": "The session expired: its time was over before it was submitted.",
    "open": "The session is open: neither a submission nor its end was told.",
    "unknown": "Whether the session has ended is not known: its end may be among what is missing.",
}
LIMIT = (
    "What a page never sent at its very end leaves no gap; and of what happened outside of the page these events say "
    "nothing."
)


def verdict(summary: AttemptSummary) -> Verdict:
    """Return what is said of a session's log."""
    return Verdict(
        is_complete=summary.is_complete,
        stored=summary.events,
        lost=summary.lost,
        dead_letters=summary.dead_letters,
        dropped=summary.dropped,
        sentences=list(_sentences(summary)),
    )


def _sentences(it: AttemptSummary) -> Iterator[str]:
    yield f"{_events(it.events)} of this session {_are(it.events)} stored, each exactly once."
    yield _missing(it.lost)
    yield _letters(it.dead_letters)
    yield _dropped(it.dropped)
    if it.log_reason == "unnumbered":
        yield "A page of this session sends no numbers: nobody can see whether one of its events is missing."
    yield ENDS[it.completion]
    yield (
        "The log is complete." if it.is_complete else "The log is not complete: figures that depend on it are left out."
    )
    yield LIMIT


def _missing(lost: int) -> str:
    if not lost:
        return "No number is missing from what its pages numbered."
    numbers, them = ("number is", "it") if lost == 1 else ("numbers are", "them")
    return f"{lost} {numbers} missing: the page gave {them} to events that are not stored; nobody can say which."


def _letters(letters: int) -> str:
    if not letters:
        return "No event of it waits as a dead letter."
    they = "it was" if letters == 1 else "they were"
    return f"{_events(letters)} came and could not be stored as {they}: see the dead letters."


def _dropped(dropped: int) -> str:
    if not dropped:
        return "Its pages tell of no event that they gave up."
    return f"Its pages say that they gave up {_events(dropped)} themselves."


def _events(count: int) -> str:
    return f"{count} event{'s' * (count != 1)}"


def _are(count: int) -> str:
    return "is" if count == 1 else "are"
