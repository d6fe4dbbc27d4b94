-- A topic's name outlives its records: deleted and made anew, cut off after an unclean election, put back from a copy or
-- looked for in another cluster it is another log, in which the ledger's offsets mean other records. The logs of a name
-- are numbered from 1; the highest number is the one that is read.
CREATE TABLE topic_logs (
    topic text,
    log integer DEFAULT 1,
    topic_id uuid,
    cluster_id text,
    seen_at timestamptz NOT NULL DEFAULT now(),
    accepted_by text,
    database_user text NOT NULL DEFAULT session_user,
    PRIMARY KEY (topic, log)
);
COMMENT ON COLUMN topic_logs.topic_id IS 'of Kafka; null where Kafka has none (before 2.8), or the log was never seen';
COMMENT ON COLUMN topic_logs.accepted_by IS 'null for the log that was there first';

-- The rows of partition_ledger as they were when another log was accepted.
CREATE TABLE closed_ledgers (
    topic text,
    log integer,
    partition integer,
    first_offset bigint NOT NULL,
    next_offset bigint NOT NULL,
    records bigint NOT NULL,
    inserted bigint NOT NULL,
    duplicates bigint NOT NULL,
    dead_lettered bigint NOT NULL,
    suppressed bigint NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (topic, log, partition),
    FOREIGN KEY (topic, log) REFERENCES topic_logs (topic, log),
    CONSTRAINT every_record_is_accounted_for CHECK (records = inserted + duplicates + dead_lettered + suppressed)
);

-- The mark is a record that was stored: its offset, and a digest by which it is known again. A consumer from before this
-- migration moves next_offset and leaves the mark where it is, which stays as true as it was.
ALTER TABLE partition_ledger
    ADD COLUMN log integer NOT NULL DEFAULT 1,
    ADD COLUMN first_offset bigint NOT NULL DEFAULT 0,
    ADD COLUMN mark_offset bigint,
    ADD COLUMN mark_digest bytea,
    DROP CONSTRAINT no_record_is_counted_twice,
    ADD CONSTRAINT no_record_is_counted_twice CHECK (next_offset - first_offset >= records);

-- The same offset of another log is another record.
ALTER TABLE dead_letters
    ADD COLUMN log integer NOT NULL DEFAULT 1,
    DROP CONSTRAINT dead_letters_topic_partition_kafka_offset_key,
    ADD CONSTRAINT dead_letters_topic_log_partition_kafka_offset_key UNIQUE (topic, log, partition, kafka_offset);

REVOKE ALL ON topic_logs, closed_ledgers FROM PUBLIC;

-- The consumer enters the first log of a topic. Another one is accepted by whoever owns the tables.
GRANT SELECT, INSERT (topic, topic_id, cluster_id) ON topic_logs TO attemptlog_consumer;
