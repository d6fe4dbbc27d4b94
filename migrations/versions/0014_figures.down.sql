-- What was worked out is forgotten, and can be worked out again.
DROP FUNCTION exam_freshness(uuid), exam_navigation(uuid, uuid[]), exam_effort(uuid, uuid[]),
    exam_question_indicators(uuid, uuid[]), exam_session_indicators(uuid, uuid[]);

DROP VIEW readable_answer_keys, readable_exam_questions, readable_figures_progress, readable_figures_due,
    readable_session_moves, readable_question_figures, readable_session_figures, marked_questions;

DROP FUNCTION refresh_figures(integer, uuid), attemptlog_work_out(uuid[]),
    attemptlog_look_for_changes(integer, integer, integer);

DROP TRIGGER dead_letters_forget ON dead_letters;
DROP TRIGGER dead_letters_change ON dead_letters;
DROP TRIGGER attempt_events_forget_figures ON attempt_events;
DROP FUNCTION attemptlog_forget_letters(), attemptlog_forget_figures(), attemptlog_note_letter_change(),
    attemptlog_enter_due(uuid[], timestamptz[], timestamptz[]);

DROP VIEW session_owners, session_exams;
DROP TABLE figures_progress, figures_due, session_moves, question_figures, session_figures;

DROP INDEX dead_letters_changed_xid_idx;
ALTER TABLE dead_letters DROP COLUMN changed_xid;
