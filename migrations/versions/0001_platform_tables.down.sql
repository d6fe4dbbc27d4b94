DO $$
DECLARE
    is_in_use boolean;
BEGIN
    IF EXISTS (
        SELECT
        FROM pg_attribute
        WHERE attrelid = 'test_sessions'::regclass
            AND attname = 'exam_id'
            AND col_description(attrelid, attnum) = 'created by attemptlog'
    ) THEN
        LOCK TABLE test_sessions;
        SELECT EXISTS (SELECT FROM test_sessions WHERE exam_id IS NOT NULL) INTO is_in_use;
        IF NOT is_in_use THEN
            ALTER TABLE test_sessions DROP COLUMN exam_id;
        END IF;
    END IF;
END
$$;

-- Ours and empty: dropped. With rows in it, or with something of the platform's that refers to it: kept.
DO $$
DECLARE
    table_name text;
    is_in_use boolean;
BEGIN
    FOREACH table_name IN ARRAY ARRAY['test_sessions', 'exam_questions', 'questions', 'exams', 'users'] LOOP
        CONTINUE WHEN obj_description(to_regclass(table_name), 'pg_class') IS DISTINCT FROM 'created by attemptlog';
        EXECUTE format('LOCK TABLE %I', table_name);
        EXECUTE format('SELECT EXISTS (SELECT FROM %I)', table_name) INTO is_in_use;
        CONTINUE WHEN is_in_use;
        BEGIN
            EXECUTE format('DROP TABLE %I', table_name);
        EXCEPTION
            WHEN dependent_objects_still_exist THEN
                RAISE WARNING 'table % is kept: other tables refer to it', table_name;
        END;
    END LOOP;
END
$$;
