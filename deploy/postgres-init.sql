-- Run once by the postgres image, as the owner, on an empty data volume: logins for the services and for purges.
-- The group roles are made here so that the logins can join them; `attemptlog migrate` finds them and grants the rights.
\getenv gateway_password GATEWAY_DATABASE_PASSWORD
\getenv consumer_password CONSUMER_DATABASE_PASSWORD
\getenv exporter_password EXPORTER_DATABASE_PASSWORD
\getenv reader_password READER_DATABASE_PASSWORD
\getenv purger_password PURGER_DATABASE_PASSWORD

CREATE ROLE attemptlog_gateway NOLOGIN;
CREATE ROLE attemptlog_consumer NOLOGIN;
CREATE ROLE attemptlog_exporter NOLOGIN;
CREATE ROLE attemptlog_reader NOLOGIN;
CREATE ROLE attemptlog_purger NOLOGIN;

CREATE ROLE gateway LOGIN PASSWORD :'gateway_password' IN ROLE attemptlog_gateway;
CREATE ROLE consumer LOGIN PASSWORD :'consumer_password' IN ROLE attemptlog_consumer;
CREATE ROLE exporter LOGIN PASSWORD :'exporter_password' IN ROLE attemptlog_exporter;
CREATE ROLE reader LOGIN PASSWORD :'reader_password' IN ROLE attemptlog_reader;
CREATE ROLE purger LOGIN PASSWORD :'purger_password' IN ROLE attemptlog_purger;
