REVOKE UPDATE (replayed_at, replay_outcome) ON dead_letters FROM attemptlog_consumer;
DROP TABLE dead_letter_replay_outcomes, dead_letter_replays;
