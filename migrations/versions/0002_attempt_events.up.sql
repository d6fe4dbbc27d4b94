DO $$
BEGIN
    IF to_regclass('attempt_events') IS NULL THEN
        CREATE TABLE attempt_events (
            id uuid PRIMARY KEY,
            event_version smallint NOT NULL,
            event_type text NOT NULL,
            event_ts timestamptz NOT NULL,
            client_ts timestamptz,
            seq integer,
            session_id uuid NOT NULL,
            user_id uuid NOT NULL,
            question_id uuid,
            source text,
            payload_json jsonb NOT NULL DEFAULT '{}',
            created_at timestamptz NOT NULL DEFAULT now()
        );
        COMMENT ON TABLE attempt_events IS 'created by attemptlog';
    END IF;
END
$$;

-- From here on everything holds for a new table and for an older, narrower one alike.
-- Rows from before get event_version 0. No default stays behind: an insert that does not say its version is refused,
-- so nothing new can pass for an old row.
ALTER TABLE attempt_events
    ADD COLUMN IF NOT EXISTS event_version smallint NOT NULL DEFAULT 0,
    ADD COLUMN IF NOT EXISTS client_ts timestamptz,
    ADD COLUMN IF NOT EXISTS seq integer,
    ADD COLUMN IF NOT EXISTS question_id uuid,
    ADD COLUMN IF NOT EXISTS source text;

ALTER TABLE attempt_events ALTER COLUMN event_version DROP DEFAULT;

-- Times without a zone are taken as UTC.
SET LOCAL TimeZone TO 'UTC';

-- Only columns that differ: a view of the platform's on a column forbids even an ALTER that changes nothing.
DO $$
DECLARE
    differing record;
BEGIN
    FOR differing IN
        SELECT column_name, needed_type, format_type(atttypid, atttypmod) AS found_type
        FROM (
            VALUES
                ('id', 'uuid'),
                ('event_version', 'smallint'),
                ('event_type', 'text'),
                ('event_ts', 'timestamp with time zone'),
                ('client_ts', 'timestamp with time zone'),
                ('seq', 'integer'),
                ('session_id', 'uuid'),
                ('user_id', 'uuid'),
                ('question_id', 'uuid'),
                ('source', 'text'),
                ('payload_json', 'jsonb'),
                ('created_at', 'timestamp with time zone')
        ) AS needed (column_name, needed_type)
        LEFT JOIN pg_attribute
            ON attrelid = 'attempt_events'::regclass AND attname = column_name AND NOT attisdropped
        WHERE format_type(atttypid, atttypmod) IS DISTINCT FROM needed_type
    LOOP
        EXECUTE format(
            'ALTER TABLE attempt_events ALTER COLUMN %1$I TYPE %2$s USING %1$I::%2$s',
            differing.column_name, differing.needed_type
        );
    END LOOP;
EXCEPTION
    WHEN undefined_column OR cannot_coerce OR datatype_mismatch OR feature_not_supported OR data_exception THEN
        RAISE EXCEPTION 'attemptlog cannot widen the attempt_events that is here: column % is % and must become %',
            differing.column_name, coalesce(differing.found_type, 'missing'), differing.needed_type
        USING DETAIL = SQLERRM, HINT = 'Correct the column or its rows, and migrate again.';
END
$$;

UPDATE attempt_events SET payload_json = '{}' WHERE payload_json IS NULL;
UPDATE attempt_events SET created_at = event_ts WHERE created_at IS NULL;

ALTER TABLE attempt_events
    ALTER COLUMN id SET NOT NULL,
    ALTER COLUMN event_version SET NOT NULL,
    ALTER COLUMN event_type SET NOT NULL,
    ALTER COLUMN event_ts SET NOT NULL,
    ALTER COLUMN session_id SET NOT NULL,
    ALTER COLUMN user_id SET NOT NULL,
    ALTER COLUMN payload_json SET NOT NULL,
    ALTER COLUMN payload_json SET DEFAULT '{}',
    ALTER COLUMN created_at SET NOT NULL,
    ALTER COLUMN created_at SET DEFAULT now();

DO $$
BEGIN
    IF NOT EXISTS (
        SELECT
        FROM pg_constraint
        JOIN pg_attribute ON attrelid = conrelid AND ARRAY[attnum] = conkey
        WHERE conrelid = 'attempt_events'::regclass AND contype = 'p' AND attname = 'id'
    ) THEN
        ALTER TABLE attempt_events ADD PRIMARY KEY (id);
    END IF;
END
$$;

-- The platform's own may have these names, which are those that PostgreSQL gives; what they did is lost, so it is said.
DO $$
DECLARE
    found record;
BEGIN
    FOR found IN
        SELECT conname, pg_get_constraintdef(oid) AS definition
        FROM pg_constraint
        WHERE conrelid = 'attempt_events'::regclass
            AND conname IN (
                'attempt_events_session_id_fkey', 'attempt_events_user_id_fkey', 'attempt_events_question_id_fkey'
            )
            AND (confdeltype <> 'a' OR confupdtype <> 'a')
        ORDER BY conname
    LOOP
        RAISE WARNING 'attempt_events is append-only: % (%) is replaced by a foreign key that changes no events',
            found.conname, found.definition;
    END LOOP;
END
$$;

ALTER TABLE attempt_events
    DROP CONSTRAINT IF EXISTS attempt_events_session_id_seq_key,
    DROP CONSTRAINT IF EXISTS attempt_events_event_type_check,
    DROP CONSTRAINT IF EXISTS attempt_events_seq_check,
    DROP CONSTRAINT IF EXISTS attempt_events_source_check,
    DROP CONSTRAINT IF EXISTS attempt_events_session_id_fkey,
    DROP CONSTRAINT IF EXISTS attempt_events_user_id_fkey,
    DROP CONSTRAINT IF EXISTS attempt_events_question_id_fkey;

-- Events of streams that a later revision left here may share their numbers; then its index is still there.
DO $$
BEGIN
    IF to_regclass('attempt_events_session_id_seq_idx') IS NULL THEN
        ALTER TABLE attempt_events ADD CONSTRAINT attempt_events_session_id_seq_key UNIQUE (session_id, seq);
    END IF;
END
$$;

ALTER TABLE attempt_events
    ADD CONSTRAINT attempt_events_event_type_check CHECK (
        event_type IN (
            'SESSION_CREATED', 'SESSION_SUBMITTED', 'SESSION_EXPIRED', 'REVIEW_OPENED',
            'QUESTION_VIEWED', 'NAVIGATE_NEXT', 'NAVIGATE_PREV', 'NAVIGATE_JUMP',
            'ANSWER_SELECTED', 'ANSWER_CHANGED', 'MARK_FOR_REVIEW_TOGGLED', 'PAUSE_BLUR'
        )
    ) NOT VALID,
    ADD CONSTRAINT attempt_events_seq_check CHECK (seq >= 0) NOT VALID,
    ADD CONSTRAINT attempt_events_source_check CHECK (source IN ('web', 'mobile', 'api')) NOT VALID,
    ADD CONSTRAINT attempt_events_session_id_fkey FOREIGN KEY (session_id) REFERENCES test_sessions (id) NOT VALID,
    ADD CONSTRAINT attempt_events_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) NOT VALID,
    ADD CONSTRAINT attempt_events_question_id_fkey FOREIGN KEY (question_id) REFERENCES questions (id) NOT VALID;

-- A constraint that older rows break holds for new rows only.
DO $$
DECLARE
    unproven text;
BEGIN
    FOR unproven IN
        SELECT conname
        FROM pg_constraint
        WHERE conrelid = 'attempt_events'::regclass AND NOT convalidated
    LOOP
        BEGIN
            EXECUTE format('ALTER TABLE attempt_events VALIDATE CONSTRAINT %I', unproven);
        EXCEPTION
            WHEN foreign_key_violation OR check_violation THEN
                RAISE WARNING 'older rows of attempt_events break %, which now holds for new rows only', unproven;
        END;
    END LOOP;
END
$$;

CREATE INDEX IF NOT EXISTS attempt_events_session_id_event_ts_idx ON attempt_events (session_id, event_ts);
CREATE INDEX IF NOT EXISTS attempt_events_user_id_event_ts_idx ON attempt_events (user_id, event_ts);
CREATE INDEX IF NOT EXISTS attempt_events_event_type_event_ts_idx ON attempt_events (event_type, event_ts);
CREATE INDEX IF NOT EXISTS attempt_events_question_id_idx ON attempt_events (question_id);

-- A table that was left whole may have the lean set, which has something else in the place of these.
DO $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM pg_index WHERE indisvalid AND indexrelid = to_regclass('attempt_events_event_ts_brin_idx')
    ) THEN
        CREATE INDEX IF NOT EXISTS attempt_events_event_type_idx ON attempt_events (event_type);
        CREATE INDEX IF NOT EXISTS attempt_events_event_ts_idx ON attempt_events (event_ts);
        CREATE INDEX IF NOT EXISTS attempt_events_user_id_idx ON attempt_events (user_id);
    END IF;
END
$$;

CREATE FUNCTION attemptlog_refuse_change() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    IF current_setting('attemptlog.purge', true) IS DISTINCT FROM 'on' THEN
        RAISE EXCEPTION '% refused: % is append-only', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'ATL01', HINT = 'To delete the events of one person, use `attemptlog purge`.';
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER attempt_events_append_only
BEFORE UPDATE OR DELETE OR TRUNCATE ON attempt_events
FOR EACH STATEMENT
EXECUTE FUNCTION attemptlog_refuse_change();

-- Clients count from 1, so what is missing are the numbers of 1 … last_seq that are not stored; what a client sent
-- after the last one stored cannot be known here. 2147483647 + 1 is no integer, and no number is missing after it.
CREATE VIEW session_completeness AS
SELECT
    session_id,
    min(seq) AS first_seq,
    max(seq) AS last_seq,
    count(*) AS events_stored,
    CASE
        WHEN max(seq) > 1 THEN
            int4multirange(int4range(1, max(seq)))
            - coalesce(range_agg(int4range(seq, seq + 1)) FILTER (WHERE seq < 2147483647), '{}')
        ELSE '{}'
    END AS missing_seq,
    bool_or(event_type = 'SESSION_SUBMITTED') AS is_submitted
FROM attempt_events
GROUP BY session_id;
