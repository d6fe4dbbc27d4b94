-- Who was purged, or let back in, and what went with it: never whom, and nothing of what they did. `subject` is a
-- pseudonym, which only the holder of the key can make of a person's or a session's id.
CREATE TABLE purges (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('purge', 'lift', 'retention')),
    subject_kind text CHECK (subject_kind IN ('user', 'session')),
    subject uuid,
    ended_before timestamptz,
    keeps_exports boolean NOT NULL DEFAULT false,
    requested_by text NOT NULL,
    database_user text NOT NULL DEFAULT session_user,
    reason text NOT NULL,
    events bigint NOT NULL DEFAULT 0,
    older_events bigint NOT NULL DEFAULT 0,
    dead_letters bigint NOT NULL DEFAULT 0,
    sessions bigint NOT NULL DEFAULT 0,
    started_at timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz,
    CHECK ((kind = 'retention') = (subject IS NULL)),
    CHECK ((subject IS NULL) = (subject_kind IS NULL)),
    CHECK ((kind = 'retention') = (ended_before IS NOT NULL))
);
CREATE INDEX ON purges (subject);

-- The dead letters that went, as the ledger counts them: `replayed` of them had been stored by a replay.
CREATE TABLE purged_letters (
    purge_id bigint REFERENCES purges,
    topic text,
    log integer,
    partition integer,
    letters bigint NOT NULL DEFAULT 0,
    replayed bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (topic, log, partition, purge_id)
);

-- Whose events are not stored, by the pseudonym of the person or the session. Whoever stores holds a shared advisory lock
-- from before it looks here until it commits, and whoever suppresses an exclusive one: what was stored without having
-- seen an entry is committed, and found, before anything is deleted.
CREATE TABLE suppressions (
    pseudonym uuid,
    purge_id bigint REFERENCES purges,
    PRIMARY KEY (pseudonym, purge_id)
);
CREATE INDEX ON suppressions (purge_id);

-- What the key makes of a name of ours: another key would find nobody in the list. Who has seen that somebody is not in
-- the list need not look again while `state` is the same.
CREATE TABLE suppression_key (
    only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    fingerprint uuid NOT NULL,
    state uuid NOT NULL DEFAULT gen_random_uuid()
);

-- Whoever changes the list by hand is held to the same. It runs as its owner: nobody else has to change `state`.
CREATE FUNCTION attemptlog_change_suppressions() RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('attemptlog suppressions', 0));
    UPDATE suppression_key SET state = gen_random_uuid();
    IF NOT FOUND THEN
        RAISE EXCEPTION 'suppression_key has to have the fingerprint of the key before anybody can be suppressed';
    END IF;
    RETURN NULL;
END
$$;

DO $$
BEGIN
    EXECUTE format('ALTER FUNCTION attemptlog_change_suppressions() SET search_path = %I, pg_temp', current_schema());
END
$$;

CREATE TRIGGER suppressions_change
BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON suppressions
FOR EACH STATEMENT
EXECUTE FUNCTION attemptlog_change_suppressions();

-- The targets in which a purge is done, and how many rows went there; NULL where a target cannot delete.
CREATE TABLE purge_targets (
    purge_id bigint REFERENCES purges,
    target text,
    rows bigint,
    done_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (purge_id, target)
);

-- Who opened or exported whose data. A purge puts the pseudonym in the subject's place.
CREATE TABLE data_accesses (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    accessed_at timestamptz NOT NULL DEFAULT now(),
    accessed_by text NOT NULL,
    database_user text NOT NULL DEFAULT session_user,
    command text NOT NULL,
    reason text,
    subject_kind text NOT NULL CHECK (subject_kind IN ('user', 'session', 'everybody')),
    subject uuid,
    is_pseudonym boolean NOT NULL DEFAULT false,
    CHECK ((subject_kind = 'everybody') = (subject IS NULL))
);
CREATE INDEX ON data_accesses (subject);

CREATE TRIGGER data_accesses_append_only
BEFORE UPDATE OR DELETE ON data_accesses
FOR EACH ROW
WHEN (current_setting('attemptlog.purge', true) IS DISTINCT FROM 'on')
EXECUTE FUNCTION attemptlog_refuse_change();

CREATE TRIGGER data_accesses_no_truncate
BEFORE TRUNCATE ON data_accesses
FOR EACH STATEMENT
EXECUTE FUNCTION attemptlog_refuse_change();

-- Whoever may delete an entry need not be allowed to lock both tables.
ALTER FUNCTION attemptlog_lock_entries() SECURITY DEFINER;

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'attemptlog_purger') THEN
        CREATE ROLE attemptlog_purger NOLOGIN;
    END IF;
EXCEPTION
    WHEN duplicate_object OR unique_violation THEN
        NULL;
    WHEN insufficient_privilege THEN
        RAISE EXCEPTION 'role attemptlog_purger is missing and % may not create it', current_user
        USING HINT = 'Have an administrator run "CREATE ROLE attemptlog_purger NOLOGIN", and migrate again.';
END
$$;

REVOKE ALL ON purges, purged_letters, suppressions, suppression_key, purge_targets, data_accesses FROM PUBLIC;

GRANT SELECT ON suppressions, suppression_key TO attemptlog_gateway, attemptlog_consumer, attemptlog_exporter;
GRANT SELECT ON purges TO attemptlog_exporter;
GRANT SELECT, INSERT ON purge_targets TO attemptlog_exporter;
GRANT INSERT ON data_accesses TO attemptlog_exporter;

GRANT SELECT, DELETE ON attempt_events, dead_letters, dead_letter_replay_outcomes, event_sessions TO attemptlog_purger;
GRANT SELECT, UPDATE (filter) ON dead_letter_replays TO attemptlog_purger;
GRANT SELECT, INSERT, UPDATE ON purges, purged_letters TO attemptlog_purger;
GRANT SELECT, INSERT, DELETE ON suppressions TO attemptlog_purger;
GRANT SELECT, INSERT ON suppression_key TO attemptlog_purger;
GRANT SELECT ON purge_targets, export_targets, attemptlog_version TO attemptlog_purger;
GRANT SELECT, INSERT, UPDATE (subject, is_pseudonym) ON data_accesses TO attemptlog_purger;
GRANT SELECT (id, user_id) ON test_sessions TO attemptlog_purger;

DO $$
BEGIN
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO attemptlog_purger', current_schema());
END
$$;
