-- Run once in a worksheet, as ACCOUNTADMIN or as roles that may do the same; a second time changes nothing. What comes of
-- it: a user that can load into one schema with one warehouse, and a role that can read the events. Put your public key
-- in, and other names if you like: they are the settings ATTEMPTLOG_EXPORT_SNOWFLAKE_USER, _ROLE, _WAREHOUSE, _DATABASE
-- and _SCHEMA.

CREATE DATABASE IF NOT EXISTS exams;
CREATE SCHEMA IF NOT EXISTS exams.telemetry WITH MANAGED ACCESS;

-- The smallest; it sleeps when there is nothing to load.
CREATE WAREHOUSE IF NOT EXISTS attemptlog_loading
    WAREHOUSE_SIZE = XSMALL
    AUTO_SUSPEND = 60
    AUTO_RESUME = TRUE
    INITIALLY_SUSPENDED = TRUE;

-- The exporter makes its tables and its stage itself, and owns them; it has no right to anything else.
CREATE ROLE IF NOT EXISTS attemptlog_exporter;
GRANT USAGE ON WAREHOUSE attemptlog_loading TO ROLE attemptlog_exporter;
GRANT USAGE ON DATABASE exams TO ROLE attemptlog_exporter;
GRANT USAGE, CREATE TABLE, CREATE STAGE ON SCHEMA exams.telemetry TO ROLE attemptlog_exporter;

-- openssl genrsa 2048 | openssl pkcs8 -topk8 -v2 aes256 -inform PEM -out attemptlog.p8
-- openssl rsa -in attemptlog.p8 -pubout
CREATE USER IF NOT EXISTS attemptlog_exporter
    TYPE = SERVICE
    DEFAULT_ROLE = attemptlog_exporter
    DEFAULT_WAREHOUSE = attemptlog_loading
    RSA_PUBLIC_KEY = 'MIIBIjANBgkqh…';
GRANT ROLE attemptlog_exporter TO USER attemptlog_exporter;

-- For people: every table of the schema, to read. FUTURE, because the first export makes them.
CREATE ROLE IF NOT EXISTS attemptlog_reader;
GRANT USAGE ON DATABASE exams TO ROLE attemptlog_reader;
GRANT USAGE ON SCHEMA exams.telemetry TO ROLE attemptlog_reader;
GRANT SELECT ON FUTURE TABLES IN SCHEMA exams.telemetry TO ROLE attemptlog_reader;
