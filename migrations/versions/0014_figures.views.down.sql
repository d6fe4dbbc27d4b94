DROP FUNCTION mark_by_key(text, numeric, integer), change_by_key(numeric, numeric, bigint, integer),
    line_figures(session_timeline[], numeric, bigint), line_questions(session_timeline[], numeric, bigint),
    line_answers(session_timeline[]), line_absences(session_timeline[]), line_visits(session_timeline[]),
    line_log(session_timeline[], numeric, bigint);
DROP VIEW session_lines;
