-- Null is what was there before; whoever works figures out begins with all sessions.
ALTER TABLE dead_letters ADD COLUMN IF NOT EXISTS changed_xid xid8;
ALTER TABLE dead_letters ALTER COLUMN changed_xid SET DEFAULT pg_current_xact_id();

-- What is left of an index whose making was interrupted is of no use, and in the way of the next attempt.
DO $$
BEGIN
    IF EXISTS (
        SELECT FROM pg_index WHERE NOT indisvalid AND indexrelid = to_regclass('dead_letters_changed_xid_idx')
    ) THEN
        DROP INDEX dead_letters_changed_xid_idx;
    END IF;
END
$$;
