"""Rows per second of our workers, of a COPY of rows in memory, and of a peer from PyPI, in turns."""

from collections import defaultdict

from attemptlog import migrations
from benchmarks.drain import QUIX, QUIX_PYTHON, Drained, backlog, drain
from benchmarks.figures import Figure, Target, at_least, at_most, failed, in_rounds
from benchmarks.references import copy_floor
from benchmarks.school import School
from benchmarks.stage import Stage

PART_FOR_QUIX = 1 / 3  # of the events, because it would take most of the time

# How many workers, and which indexes attempt_events has; `copy_floor` and quix_sink have the documented ones.
OURS: tuple[tuple[int, migrations.IndexSet], ...] = ((1, "documented"), (2, "documented"), (2, "lean"))

Samples = defaultdict[str, list[float]]


def measure(stage: Stage) -> list[Figure]:
    """Return the rows of the consumer."""
    samples: Samples = defaultdict(list)
    wrong: list[str] = []
    for number in range(stage.scale.rounds):
        school = stage.school(number)
        it = backlog(stage, school)
        stage.say(f"consumer, round {number + 1} of {stage.scale.rounds}: floor …")
        wrong += _floor(stage, school, samples)
        for workers, indexes in OURS:
            stage.say(f"consumer, round {number + 1} of {stage.scale.rounds}: {workers} of ours, {indexes} indexes …")
            with stage.database(school.roster) as database:
                migrations.use_indexes(database, indexes)
                drained = drain(stage, it, database, workers=workers)
            wrong += _note(drained, _name(workers, indexes), samples)
        if QUIX_PYTHON.exists():
            stage.say(f"consumer, round {number + 1} of {stage.scale.rounds}: quix_sink …")
            wrong += _quix(stage, school.part(PART_FOR_QUIX), samples)
    return _rows(samples, tuple(wrong))


def _name(workers: int, indexes: migrations.IndexSet) -> str:
    return f"{workers} of ours, {indexes} indexes"


def _floor(stage: Stage, school: School, samples: Samples) -> list[str]:
    rows = copy_floor.rows_of(school.envelopes())
    with stage.database(school.roster) as database:
        floor = copy_floor.store(database, rows)
    samples["floor"].append(floor.stored / floor.seconds)
    samples["floor cpu"].append(1e6 * floor.cpu_seconds / len(rows))
    return [] if floor.stored == school.size else [f"copy_floor: {floor.stored:,} rows instead of {school.size:,}"]


def _quix(stage: Stage, school: School, samples: Samples) -> list[str]:
    it = backlog(stage, school)
    with stage.database(school.roster) as database:
        return _note(drain(stage, it, database, command=QUIX), "quix_sink", samples)


def _note(drained: Drained, who: str, samples: Samples) -> list[str]:
    samples[who].append(drained.rate)
    samples[f"{who} cpu"].append(drained.cpu)
    return [f"{who}: {sentence}" for sentence in drained.wrong]


def _rows(samples: Samples, wrong: tuple[str, ...]) -> list[Figure]:
    def row(what: str, ours: str, unit: str, target: Target, against: tuple[str, str]) -> Figure:
        which, theirs = against
        pairs = (which, samples[theirs])
        return in_rounds(f"consumer, {what}", samples[ours], unit, target, against=pairs, wrong=wrong)

    one, two, lean = (_name(workers, indexes) for workers, indexes in OURS)
    floor = ("copy_floor", "floor")
    rows = [
        row("one worker", one, "rows/s", at_least(1.6), floor),
        row("two workers", two, "rows/s", at_least(1.85), floor),
        row("two workers, lean indexes", lean, "rows/s", at_least(2.0), floor),
        row("two workers", two, "rows/s", at_least(4.0), ("quix_sink", "quix_sink")),
        row("CPU of the worker", f"{one} cpu", "µs/ev", at_most(0.2), ("copy_floor's PostgreSQL", "floor cpu")),
    ]
    if not samples["quix_sink"]:
        rows[3] = failed("consumer, against quix_sink", "quix_sink is not installed: `make bench` does that")
    return rows
