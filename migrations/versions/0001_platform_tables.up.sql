-- Tables that the platform already has are used as they are, once they are known to fit.
DO $$
DECLARE
    misfits text;
BEGIN
    SELECT string_agg(
        format('%s.%s (%s)', table_name, column_name, coalesce(format_type(atttypid, atttypmod), 'missing')),
        ', '
    )
    INTO misfits
    FROM (
        VALUES
            ('users', 'id', true),
            ('exams', 'id', true),
            ('questions', 'id', true),
            ('exam_questions', 'exam_id', true),
            ('exam_questions', 'question_id', true),
            ('test_sessions', 'id', true),
            ('test_sessions', 'user_id', true),
            ('test_sessions', 'exam_id', false)
    ) AS needed (table_name, column_name, must_exist)
    LEFT JOIN pg_attribute
        ON attrelid = to_regclass(table_name) AND attname = column_name AND NOT attisdropped
    WHERE to_regclass(table_name) IS NOT NULL
        AND coalesce(atttypid <> 'uuid'::regtype, must_exist);

    IF misfits IS NOT NULL THEN
        RAISE EXCEPTION 'attemptlog cannot use the tables that are here, these columns must be of type uuid: %', misfits
        USING HINT = 'Correct them, or use another database.';
    END IF;
END
$$;

-- The comment tells the downgrade which tables are ours to drop.
DO $$
BEGIN
    IF to_regclass('users') IS NULL THEN
        CREATE TABLE users (id uuid PRIMARY KEY);
        COMMENT ON TABLE users IS 'created by attemptlog';
    END IF;

    IF to_regclass('exams') IS NULL THEN
        CREATE TABLE exams (id uuid PRIMARY KEY);
        COMMENT ON TABLE exams IS 'created by attemptlog';
    END IF;

    IF to_regclass('questions') IS NULL THEN
        CREATE TABLE questions (id uuid PRIMARY KEY);
        COMMENT ON TABLE questions IS 'created by attemptlog';
    END IF;

    IF to_regclass('exam_questions') IS NULL THEN
        CREATE TABLE exam_questions (
            exam_id uuid REFERENCES exams (id),
            question_id uuid REFERENCES questions (id),
            PRIMARY KEY (exam_id, question_id)
        );
        COMMENT ON TABLE exam_questions IS 'created by attemptlog';
    END IF;

    IF to_regclass('test_sessions') IS NULL THEN
        CREATE TABLE test_sessions (
            id uuid PRIMARY KEY,
            user_id uuid NOT NULL REFERENCES users (id),
            exam_id uuid REFERENCES exams (id),
            created_at timestamptz NOT NULL DEFAULT now()
        );
        COMMENT ON TABLE test_sessions IS 'created by attemptlog';
    END IF;
END
$$;

-- A session without an exam is one whose questions are not checked: what older sessions are.
DO $$
BEGIN
    IF NOT EXISTS (
        SELECT
        FROM pg_attribute
        WHERE attrelid = 'test_sessions'::regclass AND attname = 'exam_id' AND NOT attisdropped
    ) THEN
        ALTER TABLE test_sessions ADD COLUMN exam_id uuid REFERENCES exams (id);
        COMMENT ON COLUMN test_sessions.exam_id IS 'created by attemptlog';
    END IF;
END
$$;
