DROP VIEW session_timeline;
