-- No foreign key to dead_letters: what was replayed stays known when a letter is gone.
CREATE TABLE dead_letter_replays (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    replayed_by text NOT NULL,
    database_user text NOT NULL DEFAULT session_user,
    filter jsonb NOT NULL,
    started_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE dead_letter_replay_outcomes (
    replay_id bigint REFERENCES dead_letter_replays (id),
    dead_letter_id bigint,
    outcome text NOT NULL,
    detail text,
    replayed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (dead_letter_id, replay_id)
);

REVOKE ALL ON dead_letter_replays, dead_letter_replay_outcomes FROM PUBLIC;

GRANT UPDATE (replayed_at, replay_outcome) ON dead_letters TO attemptlog_consumer;
GRANT SELECT, INSERT ON dead_letter_replays, dead_letter_replay_outcomes TO attemptlog_consumer;
