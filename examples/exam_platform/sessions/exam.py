"""The exam that everybody may sit. Attempts refer to its questions, so a changed exam is a new one, with new ids."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

EXAM_ID = UUID("5b1f7c1e-0000-4000-8000-000000000000")
TITLE = "A little of everything"
DURATION = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class Question:
    """A question whose right choice is number `correct`, counted from 0."""

    text: str
    choices: tuple[str, ...]
    correct: int


QUESTIONS = (
    Question("Which planet is closest to the Sun?", ("Venus", "Mercury", "Mars", "Earth"), 1),
    Question("How many sides does a hexagon have?", ("Five", "Six", "Seven", "Eight"), 1),
    Question("Which gas do plants take from the air to grow?", ("Oxygen", "Helium", "Hydrogen", "Carbon dioxide"), 3),
    Question("Which ocean is the largest?", ("Pacific", "Atlantic", "Indian", "Arctic"), 0),
    Question("At sea level, at which temperature does water boil?", ("50 °C", "75 °C", "100 °C", "150 °C"), 2),
    Question("Who wrote “Romeo and Juliet”?", ("Jane Austen", "Homer", "William Shakespeare", "Molière"), 2),
    Question("Which of these numbers is prime?", ("21", "27", "29", "33"), 2),
    Question("How many strings does a violin have?", ("Four", "Five", "Six", "Seven"), 0),
)


def question_id(pos: int) -> UUID:
    """Return the id of the question at a position, counted from 1."""
    return UUID(int=EXAM_ID.int + pos)
