DO $$
BEGIN
    IF EXISTS (SELECT FROM closed_ledgers) THEN
        RAISE EXCEPTION 'the books of logs that were followed by another one cannot be kept without closed_ledgers'
        USING HINT = 'Copy closed_ledgers and topic_logs elsewhere, and empty closed_ledgers first.';
    END IF;
END
$$;

ALTER TABLE dead_letters
    DROP CONSTRAINT dead_letters_topic_log_partition_kafka_offset_key,
    DROP COLUMN log,
    ADD CONSTRAINT dead_letters_topic_partition_kafka_offset_key UNIQUE (topic, partition, kafka_offset);

ALTER TABLE partition_ledger
    DROP CONSTRAINT no_record_is_counted_twice,
    ADD CONSTRAINT no_record_is_counted_twice CHECK (next_offset >= records),
    DROP COLUMN log,
    DROP COLUMN first_offset,
    DROP COLUMN mark_offset,
    DROP COLUMN mark_digest;

DROP TABLE closed_ledgers, topic_logs;
