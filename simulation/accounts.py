"""What became of a class's events: its own tally against the tables, event by event."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import class_row, scalar_row

from attemptlog.event_store.accounts import Audit, Counts
from attemptlog.simulation.tally import Tally

CREATE_SENDINGS = """
CREATE TEMP TABLE sendings (
    session_id uuid NOT NULL,
    stream_id uuid,
    seq integer NOT NULL,
    sent_at timestamptz NOT NULL,
    is_accepted boolean NOT NULL
)
ON COMMIT DROP
"""

COPY_SENDINGS = "COPY pg_temp.sendings FROM STDIN"

# A dead letter of a batch that we sent is an envelope, whatever the reason it was refused for.
COMPARE = """
WITH sessions AS (
    SELECT DISTINCT session_id
    FROM pg_temp.sendings
),
stored AS (
    SELECT session_id, stream_id, seq, created_at
    FROM attempt_events
    JOIN sessions USING (session_id)
),
dead AS (
    SELECT
        session_id,
        (convert_from(value, 'UTF8')::jsonb ->> 'stream_id')::uuid AS stream_id,
        (convert_from(value, 'UTF8')::jsonb ->> 'seq')::integer AS seq
    FROM dead_letters
    JOIN sessions USING (session_id)
    WHERE reason <> 'undecodable'
),
missing AS (
    SELECT session_id, stream_id, seq FROM pg_temp.sendings WHERE is_accepted
    EXCEPT
    (SELECT session_id, stream_id, seq FROM stored UNION SELECT session_id, stream_id, seq FROM dead)
),
unexpected AS (
    SELECT session_id, stream_id, seq FROM stored WHERE created_at >= %(started_at)s
    EXCEPT
    SELECT session_id, stream_id, seq FROM pg_temp.sendings
)
SELECT
    (SELECT count(*) FROM missing) AS missing,
    (SELECT count(*) FROM unexpected) AS unexpected,
    (SELECT count(*) - count(DISTINCT (session_id, stream_id, seq)) FROM stored) AS stored_twice
"""

SHOW_COMMIT_TIMESTAMPS = "SHOW track_commit_timestamp"

# An event sent twice counts from its first POST; one that an earlier run stored was committed before it was sent.
MEASURE_FRESHNESS = """
WITH first_sending AS (
    SELECT session_id, stream_id, seq, min(sent_at) AS first_sent_at
    FROM pg_temp.sendings
    GROUP BY session_id, stream_id, seq
)
SELECT percentile_cont(ARRAY[0.5, 0.99]) WITHIN GROUP (ORDER BY extract(epoch FROM committed_at - first_sent_at))
FROM (
    SELECT first_sent_at, pg_xact_commit_timestamp(e.xmin) AS committed_at
    FROM attempt_events e
    JOIN first_sending f
        ON f.session_id = e.session_id AND f.seq = e.seq AND f.stream_id IS NOT DISTINCT FROM e.stream_id
    WHERE created_at >= %(started_at)s
) AS stored
WHERE committed_at > first_sent_at
"""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Events accepted but in no table; in the table but not sent; in the table more than once."""

    missing: int
    unexpected: int
    stored_twice: int


@dataclass(frozen=True, slots=True)
class Freshness:
    """Seconds from the POST to the commit."""

    p50: float
    p99: float


@dataclass(frozen=True, slots=True)
class Account:
    """All that is known of a run; `growth` is what the ledger gained, `seconds` the time from first POST to drained."""

    tally: Tally
    growth: Counts
    comparison: Comparison
    freshness: Freshness | None
    is_drained: bool
    seconds: float
    audit: Audit

    def problems(self) -> list[str]:
        """Return a sentence for everything that is unaccounted for; empty when every event has its place."""
        tally, growth = self.tally, self.growth
        settled = growth.inserted + growth.duplicates + growth.dead_lettered + growth.suppressed
        found = [
            (self.comparison.missing, "{} accepted events are neither stored nor dead letters"),
            (self.comparison.unexpected, "{} stored events were never sent"),
            (self.comparison.stored_twice, "{} events are stored more than once"),
            (max(0, tally.accepted - settled), "{} accepted events are not in the ledger"),
            (tally.not_accepted, "{} events got no answer from the gateway"),
            (tally.rejected, "{} events were rejected, though each was valid"),
            (not self.is_drained, "the consumer had not drained the topic in time"),
        ]
        # others may be sending while we look: their records are theirs to wait for
        return [text.format(count) for count, text in found if count] + self.audit.problems(allow_pending=True)

    @property
    def events_per_second(self) -> float:
        """Accepted events over the time from the first POST until all were stored."""
        return self.tally.accepted / self.seconds if self.seconds else 0.0

    def as_data(self) -> dict[str, Any]:
        """Return the account for --json."""
        freshness = self.freshness
        return {
            "sent": self.tally.sent,
            "repeated": self.tally.repeated,
            "accepted": self.tally.accepted,
            "rejected": self.tally.rejected,
            "rejected_reasons": self.tally.reasons,
            "not_accepted": self.tally.not_accepted,
            "retries": self.tally.retries,
            "stored": self.growth.inserted,
            "duplicates": self.growth.duplicates,
            "dead_letters": self.growth.dead_lettered,
            "suppressed": self.growth.suppressed,
            "freshness_seconds": {"p50": freshness.p50, "p99": freshness.p99} if freshness else None,
            "seconds": round(self.seconds, 3),
            "events_per_second": round(self.events_per_second, 1),
            "is_accounted_for": not self.problems(),
            "problems": self.problems(),
        }


async def load(connection: AsyncConnection, tally: Tally) -> None:
    """Put the class's own tally beside the tables, for this transaction only."""
    await connection.execute(CREATE_SENDINGS)
    async with connection.cursor() as cursor, cursor.copy(COPY_SENDINGS) as copy:
        for row in tally.rows():
            await copy.write_row(row)
    await connection.execute("ANALYZE pg_temp.sendings")


async def compare(connection: AsyncConnection, started_at: datetime) -> Comparison:
    """Compare the loaded tally with the tables in both directions; `started_at` is the database's clock."""
    async with connection.cursor(row_factory=class_row(Comparison)) as cursor:
        await cursor.execute(COMPARE, {"started_at": started_at})
        found = await cursor.fetchone()
    assert found is not None  # noqa: S101  # an aggregate without GROUP BY has one row
    return found


async def measure_freshness(connection: AsyncConnection, started_at: datetime) -> Freshness | None:
    """Return how long events took; None when PostgreSQL keeps no commit times or nothing new was stored."""
    async with connection.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(SHOW_COMMIT_TIMESTAMPS)
        if await cursor.fetchone() != "on":
            return None
        await cursor.execute(MEASURE_FRESHNESS, {"started_at": started_at})
        percentiles = await cursor.fetchone()
    return Freshness(*map(float, percentiles)) if percentiles else None
