"""Which indexes attempt_events has beside its primary key: the documented set, or the lean one, which costs less."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, LiteralString, NamedTuple

from sqlalchemy import Connection, text

from attemptlog.migrations.database import TURN_PAUSE, MigrationError

IndexSet = Literal["documented", "lean"]


class Index(NamedTuple):
    """An index of ours: what PostgreSQL says of it, and how it is made."""

    definition: str
    statement: LiteralString


def _plain(name: LiteralString, columns: LiteralString) -> tuple[LiteralString, Index]:
    return name, Index(
        f"btree ({columns})", "CREATE INDEX CONCURRENTLY " + name + " ON attempt_events (" + columns + ")"
    )


def _unique(name: LiteralString, columns: LiteralString, rows: LiteralString) -> tuple[LiteralString, Index]:
    return name, Index(
        f"unique btree ({columns}) WHERE ({rows})",
        "CREATE UNIQUE INDEX CONCURRENTLY " + name + " ON attempt_events (" + columns + ") WHERE " + rows,
    )


# Our own queries and the checks of the consumer need these.
NEEDED: Mapping[str, Index] = dict(
    [
        _unique("attempt_events_session_id_seq_idx", "session_id, seq", "stream_id IS NULL"),
        _unique("attempt_events_session_id_stream_id_seq_idx", "session_id, stream_id, seq", "stream_id IS NOT NULL"),
        _plain("attempt_events_session_id_event_ts_idx", "session_id, event_ts"),
        _plain("attempt_events_user_id_event_ts_idx", "user_id, event_ts"),
        _plain("attempt_events_event_type_event_ts_idx", "event_type, event_ts"),
        _plain("attempt_events_question_id_idx", "question_id"),
        _plain("attempt_events_export_xid_idx", "export_xid"),
    ]
)

# A range is summarized when the next one begins, by autovacuum, which keeps 256 such requests and logs the others; it
# looks once a minute. 1,024 pages have some 35,000 events: that many a quarter of a second are more than are stored.
BRIN = "attempt_events_event_ts_brin_idx"
ONLY_IN: Mapping[IndexSet, Mapping[str, Index]] = {
    "documented": dict(
        [
            _plain("attempt_events_event_type_idx", "event_type"),
            _plain("attempt_events_event_ts_idx", "event_ts"),
            _plain("attempt_events_user_id_idx", "user_id"),
        ]
    ),
    "lean": {
        BRIN: Index(
            "brin (event_ts)",
            "CREATE INDEX CONCURRENTLY " + BRIN + " ON attempt_events USING brin (event_ts) "
            "WITH (pages_per_range = 1024, autosummarize = on)",
        )
    },
}
SETS: Mapping[IndexSet, Mapping[str, Index]] = {name: {**NEEDED, **only} for name, only in ONLY_IN.items()}
ALL: Mapping[str, Index] = {**SETS["documented"], **SETS["lean"]}

# Whether one is unfinished is said by either flag: making begins with one of them, dropping ends with the other.
EXAMINE = text("""
SELECT
    relname,
    indexrelid::regclass::text AS qualified,
    indisvalid AND indisready AND indislive AS is_finished,
    CASE WHEN indisunique THEN 'unique ' ELSE '' END
        || substring(pg_get_indexdef(indexrelid) FROM ' USING (\\w+ \\([^)]*\\))')
        || coalesce(' INCLUDE' || substring(pg_get_indexdef(indexrelid) FROM ' INCLUDE( \\([^)]*\\))'), '')
        || coalesce(' WHERE (' || pg_get_expr(indpred, indrelid, true) || ')', '') AS definition
FROM pg_index
JOIN pg_class ON pg_class.oid = indexrelid
WHERE indrelid = 'attempt_events'::regclass AND relname = ANY(:names)
""")

# By somebody else, such as a migration whose process was killed: PostgreSQL goes on, and notices only at the end.
IS_MADE_ELSEWHERE = text("""
SELECT EXISTS (
    SELECT
    FROM pg_stat_progress_create_index
    WHERE relid = 'attempt_events'::regclass AND datname = current_database() AND pid <> pg_backend_pid()
)
""")


class Found(NamedTuple):
    """An index that has a name of ours; `qualified` names it in SQL, quoted."""

    name: str
    qualified: str
    is_finished: bool
    definition: str

    @property
    def is_ours(self) -> bool:
        return self.definition == ALL[self.name].definition


@dataclass(frozen=True, slots=True)
class Indexes:
    """The indexes with names of ours that attempt_events has."""

    found: Mapping[str, Found]

    @property
    def strangers(self) -> list[Found]:
        return [it for it in self.found.values() if not it.is_ours]

    @property
    def finished(self) -> set[str]:
        return {name for name, it in self.found.items() if it.is_finished and it.is_ours}

    @property
    def unfinished(self) -> list[str]:
        return [name for name, it in self.found.items() if not it.is_finished]

    @property
    def nearest(self) -> IndexSet:
        """The set from which fewest differ; of two that are as near, the documented one."""
        return min(SETS, key=lambda name: len(self.finished ^ SETS[name].keys()))

    def missing(self, wanted: IndexSet) -> list[str]:
        return [name for name in SETS[wanted] if name not in self.finished]

    def besides(self, wanted: IndexSet) -> list[str]:
        return [name for name in ALL if name in self.finished and name not in SETS[wanted]]

    @property
    def description(self) -> str:
        """Which set it is, or is nearest to, what it lacks, and what to run."""
        nearest = self.nearest
        differences = [
            *(f"{it.name} is another ({it.definition})" for it in self.strangers),
            *(f"{name} is missing" for name in self.missing(nearest) if name not in self.found),
            *(f"{name} is there besides" for name in self.besides(nearest)),
            *(f"{name} is unfinished" for name in self.unfinished),
        ]
        if not differences:
            return f"the indexes of attempt_events are the {nearest} ones"
        return (
            f"the indexes of attempt_events are nearest to the {nearest} ones: {', '.join(differences)}; "
            f"`attemptlog migrate --indexes {nearest}` makes them so"
        )

    @property
    def fault(self) -> str | None:
        """The description, where what is unfinished costs and serves nobody, or what every set has is missing."""
        return self.description if self.unfinished or NEEDED.keys() - self.finished else None


@dataclass(frozen=True, slots=True)
class Switch:
    """What was done so that the indexes are those of a set, by name; a remnant that was made anew is among `made`."""

    wanted: IndexSet
    made: list[str]
    dropped: list[str]


def find(connection: Connection) -> Indexes:
    """Ask the server; attempt_events has to be there."""
    rows = connection.execute(EXAMINE, {"names": list(ALL)})
    found = {name: Found(name, *rest) for name, *rest in rows}
    return Indexes({name: found[name] for name in ALL if name in found})


def switch(connection: Connection, wanted: IndexSet) -> Switch:
    """Make what is missing and then drop what is too much, each beside whoever writes and in a transaction of its own.

    What is interrupted goes on where it was when it is run again. Raises MigrationError, before anything is changed,
    where an index that is not ours has the name of one.
    """
    connection = connection.execution_options(isolation_level="AUTOCOMMIT")
    _wait_until_none_is_made(connection)
    there = find(connection)
    _refuse_others(there)
    for statement in _statements(there, wanted):
        connection.exec_driver_sql(statement)
    dropped = [name for name in there.found if name not in SETS[wanted]]
    return Switch(wanted, there.missing(wanted), dropped)


def _wait_until_none_is_made(connection: Connection) -> None:
    """Look again and again: a statement that waits for the other would have a snapshot that the other waits for."""
    while connection.scalar(IS_MADE_ELSEWHERE):
        time.sleep(TURN_PAUSE)


def _refuse_others(there: Indexes) -> None:
    for it in there.strangers:
        raise MigrationError(f"the index {it.qualified} is none of attemptlog's ({it.definition}): rename it")


def _statements(there: Indexes, wanted: IndexSet) -> Iterator[str]:
    yield from (_drop(there.found[name]) for name in there.unfinished)
    yield from (SETS[wanted][name].statement for name in there.missing(wanted))
    yield from (_drop(there.found[name]) for name in there.besides(wanted))


def _drop(it: Found) -> str:
    return f"DROP INDEX CONCURRENTLY IF EXISTS {it.qualified}"
