"""Who opened or exported whose data: written down, and committed, before anything is shown."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple, Self
from uuid import UUID

from psycopg.errors import InsufficientPrivilege, ReadOnlySqlTransaction

from attemptlog.event_store.dead_letters import Selection
from attemptlog.runtime.errors import OperatorError
from attemptlog.runtime.transactions import transaction

USER, SESSION, EVERYBODY = "user", "session", "everybody"

MAX_WORDS = 500  # characters; a reason, and no file

NAMES_AN_ID = re.compile(r"[0-9a-f]{8}(?:-?[0-9a-f]{4}){3}-?[0-9a-f]{12}", re.IGNORECASE)

NOTE = """
INSERT INTO data_accesses (accessed_by, command, reason, subject_kind, subject)
VALUES (%(by)s, %(command)s, %(why)s, %(kind)s, %(subject)s)
"""


class Subject(NamedTuple):
    """Whose data: a person's, a session's, or everybody's, which is where nobody is named."""

    kind: str
    id: UUID | None

    @classmethod
    def everybody(cls) -> Self:
        return cls(EVERYBODY, None)


@dataclass(frozen=True, slots=True)
class Looker:
    """Who looks, with which command, and why. Raises OperatorError for words that are not to be kept as they are."""

    by: str
    command: str
    why: str | None = None

    def __post_init__(self) -> None:
        for words, name in ((self.by, "The name of who looks"), (self.why, "The reason")):
            if words is not None and (fault := unfit(words)):
                raise OperatorError(f"{name} {fault}.")


def unfit(words: str) -> str | None:
    """Return why words of an operator cannot be kept for good, None when they can: they outlive a person's purge."""
    if len(words) > MAX_WORDS:
        return f"has {len(words)} characters: {MAX_WORDS} can be kept"
    if not words.isprintable():
        return "has characters that cannot be printed: write it in one line of plain text"
    if NAMES_AN_ID.search(words):
        return "names an id, which would stay when its person is purged: leave it out"
    return None


def named(user: UUID | str | None = None, session: UUID | str | None = None) -> list[Subject]:
    """Return whose data these ids mean; everybody's when there is none."""
    given = ((USER, user), (SESSION, session))
    return [Subject(kind, UUID(str(it))) for kind, it in given if it] or [Subject.everybody()]


def selected(selection: Selection) -> list[Subject]:
    """Return whose dead letters are meant."""
    return named(selection.user, selection.session)


def note_access(database_url: str, looker: Looker, subjects: Iterable[Subject]) -> None:
    """Write down who looks at whose data; it is committed when this returns.

    Raises OperatorError when it cannot be written down: then nothing may be shown.
    """
    told = {"by": looker.by, "command": looker.command, "why": looker.why}
    try:
        with transaction(database_url) as connection:
            for subject in subjects:
                connection.execute(NOTE, told | {"kind": subject.kind, "subject": subject.id})
    except InsufficientPrivilege as error:
        raise OperatorError(
            "This login may not write into data_accesses, and nobody's data are shown without its being kept who "
            "looked: use the owner's login, or GRANT INSERT ON data_accesses to this one."
        ) from error
    except ReadOnlySqlTransaction as error:
        raise OperatorError(
            "This database can only be read, so it could not be kept who looked: use the server that is written to."
        ) from error
