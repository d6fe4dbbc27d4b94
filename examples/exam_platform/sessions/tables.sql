-- The platform's own tables, in a schema of their own beside attemptlog's. Running it again changes nothing.
CREATE SCHEMA IF NOT EXISTS exam_platform;

CREATE TABLE IF NOT EXISTS exam_platform.candidates (
    user_id uuid PRIMARY KEY REFERENCES public.users (id),
    name text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 80),
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS exam_platform.exams (
    exam_id uuid PRIMARY KEY REFERENCES public.exams (id),
    title text NOT NULL,
    seconds integer NOT NULL CHECK (seconds > 0)
);

CREATE TABLE IF NOT EXISTS exam_platform.questions (
    exam_id uuid REFERENCES exam_platform.exams (exam_id),
    question_id uuid,
    pos integer NOT NULL CHECK (pos >= 1),
    text text NOT NULL,
    choices text[] NOT NULL,
    correct integer NOT NULL CHECK (correct >= 0 AND correct < cardinality(choices)),
    PRIMARY KEY (exam_id, question_id),
    UNIQUE (exam_id, pos),
    FOREIGN KEY (exam_id, question_id) REFERENCES public.exam_questions (exam_id, question_id)
);

-- expired_at is when that was noticed, which is when somebody touched the session again.
CREATE TABLE IF NOT EXISTS exam_platform.attempts (
    session_id uuid PRIMARY KEY REFERENCES public.test_sessions (id),
    user_id uuid NOT NULL REFERENCES exam_platform.candidates (user_id),
    exam_id uuid NOT NULL REFERENCES exam_platform.exams (exam_id),
    expires_at timestamptz NOT NULL,
    submitted_at timestamptz,
    expired_at timestamptz,
    CONSTRAINT it_ends_once CHECK (submitted_at IS NULL OR expired_at IS NULL)
);

CREATE INDEX IF NOT EXISTS attempts_user_id_idx ON exam_platform.attempts (user_id);

CREATE TABLE IF NOT EXISTS exam_platform.answers (
    session_id uuid REFERENCES exam_platform.attempts (session_id),
    question_id uuid,
    choice integer CHECK (choice >= 0),
    marked boolean NOT NULL,
    PRIMARY KEY (session_id, question_id)
);

-- Each opening of the overview, and that of the result, is told once, however often the page is loaded.
CREATE TABLE IF NOT EXISTS exam_platform.openings (
    session_id uuid REFERENCES exam_platform.attempts (session_id),
    opening uuid,
    PRIMARY KEY (session_id, opening)
);

-- Roles belong to the whole cluster: it may be there already, or be made for another database at the same time.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'exam_platform') THEN
        CREATE ROLE exam_platform NOLOGIN;
    END IF;
EXCEPTION
    WHEN duplicate_object OR unique_violation THEN
        NULL;
    WHEN insufficient_privilege THEN
        RAISE EXCEPTION 'role exam_platform is missing and % may not create it', current_user
        USING HINT = 'Have an administrator run "CREATE ROLE exam_platform NOLOGIN", and prepare again.';
END
$$;

GRANT USAGE ON SCHEMA public, exam_platform TO exam_platform;

GRANT INSERT ON public.users, public.test_sessions TO exam_platform;
GRANT SELECT ON public.attempt_events TO exam_platform;

GRANT SELECT ON exam_platform.exams, exam_platform.questions TO exam_platform;
GRANT SELECT, INSERT ON exam_platform.candidates, exam_platform.openings TO exam_platform;
GRANT SELECT, INSERT, UPDATE (submitted_at, expired_at) ON exam_platform.attempts TO exam_platform;
GRANT SELECT, INSERT, UPDATE (choice, marked) ON exam_platform.answers TO exam_platform;
