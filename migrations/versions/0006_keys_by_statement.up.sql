-- Three look-ups and three row locks for each event are a third of what an event costs PostgreSQL, and nearly all of
-- them ask for the same few sessions, users and questions. So each of these is entered once into a small table with
-- ordinary foreign keys, and an event needs no more than that its own are entered. The parents are then guarded by
-- PostgreSQL itself, under every isolation level: they are referred to by rows that stay as long as the events do.
CREATE TABLE event_sessions (
    session_id uuid REFERENCES test_sessions (id),
    user_id uuid REFERENCES users (id),
    PRIMARY KEY (session_id, user_id)
);
CREATE INDEX ON event_sessions (user_id);

CREATE TABLE event_questions (question_id uuid PRIMARY KEY REFERENCES questions (id));

REVOKE ALL ON event_sessions, event_questions FROM PUBLIC;

CREATE TRIGGER event_sessions_append_only
BEFORE UPDATE OR DELETE OR TRUNCATE ON event_sessions
FOR EACH STATEMENT
EXECUTE FUNCTION attemptlog_refuse_change();

CREATE TRIGGER event_questions_append_only
BEFORE UPDATE OR DELETE OR TRUNCATE ON event_questions
FOR EACH STATEMENT
EXECUTE FUNCTION attemptlog_refuse_change();

-- A purge may take entries away. It waits until whoever has entered something commits, and whoever enters then waits for
-- the purge: this lock of a table conflicts with that of an INSERT, and costs no look at rows.
CREATE FUNCTION attemptlog_lock_entries() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    LOCK TABLE event_sessions, event_questions IN SHARE ROW EXCLUSIVE MODE;
    RETURN NULL;
END
$$;

CREATE TRIGGER event_sessions_locked
BEFORE UPDATE OR DELETE OR TRUNCATE ON event_sessions
FOR EACH STATEMENT
EXECUTE FUNCTION attemptlog_lock_entries();

CREATE TRIGGER event_questions_locked
BEFORE UPDATE OR DELETE OR TRUNCATE ON event_questions
FOR EACH STATEMENT
EXECUTE FUNCTION attemptlog_lock_entries();

-- It runs as its owner, because whoever may store events may not touch these tables otherwise. The order keeps two
-- writers from waiting in a circle.
CREATE FUNCTION attemptlog_enter_parents() RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
AS $$
BEGIN
    INSERT INTO event_sessions
    SELECT DISTINCT session_id, user_id
    FROM new_events
    ORDER BY session_id, user_id
    ON CONFLICT DO NOTHING;

    INSERT INTO event_questions
    SELECT DISTINCT question_id
    FROM new_events
    WHERE question_id IS NOT NULL
    ORDER BY question_id
    ON CONFLICT DO NOTHING;

    RETURN NULL;
END
$$;

-- Temporary tables last, or a caller's own would take the place of ours.
DO $$
BEGIN
    EXECUTE format('ALTER FUNCTION attemptlog_enter_parents() SET search_path = %I, pg_temp', current_schema());
    EXECUTE format('ALTER FUNCTION attemptlog_lock_entries() SET search_path = %I, pg_temp', current_schema());
END
$$;
