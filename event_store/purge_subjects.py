"""Whom a purge is about, and how much there is of them."""

from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

from attemptlog.event_store.accesses import SESSION, USER, unfit
from attemptlog.runtime.errors import OperatorError
from attemptlog.runtime.pseudonyms import Pseudonyms


class Subject(NamedTuple):
    """A person or a session; `kind` is USER or SESSION."""

    kind: str
    id: UUID

    def pseudonym(self, pseudonyms: Pseudonyms) -> str:
        """Return what stands for it in the list."""
        name = str(self.id).encode()
        return pseudonyms.of_user(name) if self.kind == USER else pseudonyms.of_session(name)

    def entry(self, request: "Request") -> dict[str, Any]:
        """Return the parameters of the statements that keep what was asked for."""
        return {
            "kind": self.kind,
            "subject": self.pseudonym(request.pseudonyms),
            "by": request.by,
            "reason": request.reason,
        }


@dataclass(frozen=True, slots=True)
class Request:
    """Who wants it and why, which is kept for good, and what stands for whoever is meant.

    Raises OperatorError for words that are not to be kept as they are.
    """

    by: str
    reason: str
    pseudonyms: Pseudonyms

    def __post_init__(self) -> None:
        for words, name in ((self.by, "The name of who wants it"), (self.reason, "The reason")):
            if fault := unfit(words):
                raise OperatorError(f"{name} {fault}.")


@dataclass(frozen=True, slots=True)
class Named:
    """All that a purge is about: the person, if it is one, and the sessions."""

    users: list[UUID]
    sessions: list[UUID]

    @property
    def subjects(self) -> list[Subject]:
        return [Subject(USER, each) for each in self.users] + [Subject(SESSION, each) for each in self.sessions]

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters of the statements that look for them."""
        patterns = [f"%{subject.id.hex}%" for subject in self.subjects]
        return {"users": self.users, "sessions": self.sessions, "patterns": patterns}

    def names(self, pseudonyms: Pseudonyms) -> dict[str, Any]:
        """Return the parameters of the statements that put pseudonyms in their place."""
        subjects = self.subjects
        return {
            "kinds": [subject.kind for subject in subjects],
            "ids": [subject.id for subject in subjects],
            "pseudonyms": [subject.pseudonym(pseudonyms) for subject in subjects],
        }


class Counts(NamedTuple):
    """How many there are, or went; `older_events` are rows from before attemptlog, which no ledger counts."""

    sessions: int = 0
    events: int = 0
    older_events: int = 0
    dead_letters: int = 0
