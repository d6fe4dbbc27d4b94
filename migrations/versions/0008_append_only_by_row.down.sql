DROP TRIGGER attempt_events_no_truncate ON attempt_events;
DROP TRIGGER attempt_events_append_only ON attempt_events;

CREATE TRIGGER attempt_events_append_only
BEFORE UPDATE OR DELETE OR TRUNCATE ON attempt_events
FOR EACH STATEMENT
EXECUTE FUNCTION attemptlog_refuse_change();
