DROP FUNCTION exam_navigation(uuid), exam_effort(uuid), exam_question_indicators(uuid), exam_session_indicators(uuid);

DROP VIEW session_indicators, session_questions, session_answers, session_absences, session_visits, session_logs;

-- Ours and empty: dropped.
DO $$
BEGIN
    LOCK TABLE answer_keys;
    IF obj_description('answer_keys'::regclass, 'pg_class') = 'created by attemptlog'
        AND NOT EXISTS (SELECT FROM answer_keys)
    THEN
        DROP TABLE answer_keys;
    END IF;
END
$$;
