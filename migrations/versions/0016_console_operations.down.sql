REVOKE SELECT (kind, events) ON purges FROM attemptlog_consumer;
REVOKE SELECT ON closed_ledgers, purged_letters FROM attemptlog_consumer;
DROP FUNCTION stored_events(xid8, text, text, uuid, integer, integer);
DROP VIEW readable_letters, readable_ledger;
DROP FUNCTION attemptlog_letter_detail(text, text);
DROP FUNCTION attemptlog_letter_type(bytea);
DROP FUNCTION attemptlog_shape(bytea);
