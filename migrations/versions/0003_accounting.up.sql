CREATE TABLE dead_letters (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic text NOT NULL,
    partition integer NOT NULL,
    kafka_offset bigint NOT NULL,
    reason text NOT NULL CHECK (
        reason IN (
            'undecodable', 'unknown_session', 'session_not_owned', 'question_not_in_session',
            'unknown_question', 'seq_conflict', 'rejected_by_database'
        )
    ),
    detail text,
    session_id uuid,
    user_id uuid,
    key bytea,
    value bytea,
    first_seen_at timestamptz NOT NULL DEFAULT now(),
    replayed_at timestamptz,
    replay_outcome text,
    UNIQUE (topic, partition, kafka_offset)
);

CREATE INDEX ON dead_letters (reason, first_seen_at);
CREATE INDEX ON dead_letters (session_id);
CREATE INDEX ON dead_letters (user_id);

-- One row per partition, updated with every batch: free space in the page keeps those updates heap-only.
CREATE TABLE partition_ledger (
    topic text,
    partition integer,
    next_offset bigint NOT NULL,
    records bigint NOT NULL DEFAULT 0,
    inserted bigint NOT NULL DEFAULT 0,
    duplicates bigint NOT NULL DEFAULT 0,
    dead_lettered bigint NOT NULL DEFAULT 0,
    suppressed bigint NOT NULL DEFAULT 0,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (topic, partition),
    CONSTRAINT every_record_is_accounted_for CHECK (records = inserted + duplicates + dead_lettered + suppressed),
    CONSTRAINT no_record_is_counted_twice CHECK (next_offset >= records)
)
WITH (fillfactor = 50);
