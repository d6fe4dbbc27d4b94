-- What was worked out is forgotten, and can be worked out again.
DROP FUNCTION exam_freshness(uuid), exam_navigation(uuid, uuid[]), exam_effort(uuid, uuid[]),
    exam_question_indicators(uuid, uuid[]), exam_session_indicators(uuid, uuid[]);

DROP VIEW readable_answer_keys, readable_exam_questions, readable_figures_progress, readable_figures_due,
    readable_session_moves, readable_question_figures, readable_session_figures, marked_questions;

DROP FUNCTION refresh_figures(integer, uuid), attemptlog_work_out(uuid[]),
    attemptlog_look_for_changes(integer, integer, integer);
