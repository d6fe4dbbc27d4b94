-- One row per target: how far it is exported. `horizon` is the first transaction that is not; what is older than the
-- column export_xid, and after a resync what is below `backfill_below`, is exported in the order of ids first, and
-- `backfill_after` is the last of them. A resync begins anew after batch number `began_after`. The ids of transactions mean something on one server only, whence
-- `system_identifier`. `fence` counts those who have exported: only the last of them may go on.
CREATE TABLE export_targets (
    name text PRIMARY KEY,
    horizon xid8 NOT NULL DEFAULT '0',
    exported_until timestamptz,
    backfill_below xid8 NOT NULL DEFAULT '0',
    backfill_after uuid,
    backfill_done_at timestamptz,
    system_identifier bigint NOT NULL,
    fence bigint NOT NULL DEFAULT 0,
    accepted_latest uuid,
    began_after bigint NOT NULL DEFAULT 0,
    failures integer NOT NULL DEFAULT 0,
    error_class text,
    error text,
    failed_at timestamptz,
    succeeded_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now()
);

-- What is sent as one, written down before anything of it is sent. A window is all rows of the transactions from
-- `lower` up to and without `upper`; the others are all rows after one id up to another, of transactions below `upper`.
CREATE TABLE export_batches (
    id uuid PRIMARY KEY,
    number bigint GENERATED ALWAYS AS IDENTITY,
    target text NOT NULL REFERENCES export_targets,
    kind text NOT NULL CHECK (kind IN ('window', 'backfill', 'resend')),
    lower xid8 NOT NULL DEFAULT '0',
    upper xid8 NOT NULL,
    after_id uuid,
    last_id uuid,
    since_ts timestamptz,
    repeats boolean NOT NULL,
    until_ts timestamptz NOT NULL,
    planned_rows bigint NOT NULL CHECK (planned_rows >= 0),
    rows bigint,
    checksum bigint,
    bytes bigint,
    state text NOT NULL DEFAULT 'planned' CHECK (state IN ('planned', 'sent', 'committed', 'abandoned')),
    attempts integer NOT NULL DEFAULT 0,
    error_class text,
    error text,
    created_at timestamptz NOT NULL DEFAULT now(),
    failed_at timestamptz,
    sent_at timestamptz,
    committed_at timestamptz,
    CHECK (lower <= upper),
    CHECK (state = 'planned' OR state = 'abandoned' OR (rows IS NOT NULL AND checksum IS NOT NULL))
);
CREATE INDEX export_batches_target_number_idx ON export_batches (target, number);
CREATE UNIQUE INDEX export_batches_open_idx ON export_batches (target) WHERE state IN ('planned', 'sent');

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'attemptlog_exporter') THEN
        CREATE ROLE attemptlog_exporter NOLOGIN;
    END IF;
EXCEPTION
    WHEN duplicate_object OR unique_violation THEN
        NULL;
    WHEN insufficient_privilege THEN
        RAISE EXCEPTION 'role attemptlog_exporter is missing and % may not create it', current_user
        USING HINT = 'Have an administrator run "CREATE ROLE attemptlog_exporter NOLOGIN", and migrate again.';
END
$$;

REVOKE ALL ON export_targets, export_batches FROM PUBLIC;
GRANT SELECT ON attempt_events, attemptlog_version TO attemptlog_exporter;
GRANT SELECT (id, exam_id) ON test_sessions TO attemptlog_exporter;
GRANT SELECT, INSERT, UPDATE ON export_targets, export_batches TO attemptlog_exporter;

DO $$
BEGIN
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO attemptlog_exporter', current_schema());
END
$$;
