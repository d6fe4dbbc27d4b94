-- Last, because from here on whoever stores waits for the end of the transaction.
DROP TRIGGER dead_letters_forget ON dead_letters;
DROP TRIGGER dead_letters_change ON dead_letters;
DROP TRIGGER attempt_events_forget_figures ON attempt_events;
DROP FUNCTION attemptlog_forget_letters(), attemptlog_forget_figures(), attemptlog_note_letter_change(),
    attemptlog_enter_due(uuid[], timestamptz[], timestamptz[]);

DROP VIEW session_owners, session_exams;
DROP TABLE figures_progress, figures_due, session_moves, question_figures, session_figures;

DROP INDEX IF EXISTS dead_letters_changed_xid_idx;
ALTER TABLE dead_letters DROP COLUMN changed_xid;
