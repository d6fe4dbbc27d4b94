"""Every route for every role, and what it says, on a database that is read as attemptlog_reader."""

import csv
import io
import random
import uuid
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import Any

import httpx
import psycopg
import pytest
from fastapi.routing import APIRoute

from attemptlog.console.app import API
from attemptlog.console.viewer import ROLES
from tests.support.console import bearer, client_of, console
from tests.support.eventually import eventually
from tests.support.suppression import KEY, suppress
from tests.support.two_exams import CLASS, GROUP, OTHER, OTHERS, ROSTER, THIRD, TITLE, TORN, TwoExams, two_exams

ONE = CLASS[0]
STRANGER = str(uuid.uuid4())
NOBODYS = str(uuid.uuid4())


@pytest.fixture(scope="module")
def exams(postgres_url: str, template_database: str) -> Iterator[TwoExams]:
    with two_exams(postgres_url, template_database) as it:
        yield it


@pytest.fixture
async def client(exams: TwoExams) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(console(exams.reader)) as it:
        yield it


CANDIDATE = bearer(ONE.user_id)
EXAMINER = bearer(STRANGER, "examiner", [ROSTER.exam_id])
OTHERS_EXAMINER = bearer(STRANGER, "examiner", [OTHER.exam_id])
OPERATOR = bearer(STRANGER, "operator")
AUDITOR = bearer(STRANGER, "auditor")
HEADERS = {"candidate": CANDIDATE, "examiner": EXAMINER, "operator": OPERATOR, "auditor": AUDITOR}

EXAM = f"/api/exams/{ROSTER.exam_id}"
SESSION = f"/api/sessions/{ONE.session_id}"

# Each route with addresses of what is there, and who may see it; all others get 404, and whoever has no token 401.
EVERYBODY = {"candidate", "examiner", "operator", "auditor"}
ADDRESSES: dict[str, tuple[str, set[str]]] = {
    "/api/me": ("/api/me", EVERYBODY),
    "/api/exams": ("/api/exams", {"examiner", "auditor"}),
    "/api/exams/{exam_id}": (EXAM, {"examiner", "auditor"}),
    "/api/exams/{exam_id}/sessions": (f"{EXAM}/sessions", {"examiner", "auditor"}),
    "/api/sessions/{session_id}": (SESSION, {"candidate", "examiner", "auditor"}),
    "/api/sessions/{session_id}/timeline.csv": (f"{SESSION}/timeline.csv", {"candidate", "examiner", "auditor"}),
    "/api/accesses": ("/api/accesses", {"auditor"}),
}
WITHOUT_A_TOKEN = {"/api/session"}
"""Where one is brought: tests/unit/test_console.py."""
ELSEWHERE = "/api/operations"
"""Routes that have a test of their own: tests/integration/test_console_operations.py."""


def routes() -> list[APIRoute]:
    return [route for router in API for route in router.routes if isinstance(route, APIRoute)]


def test_every_route_says_here_who_may_see_it() -> None:
    paths = {route.path for route in routes() if not route.path.startswith(ELSEWHERE)}
    assert paths == ADDRESSES.keys() | WITHOUT_A_TOKEN


def test_every_route_is_guarded_for_those_roles() -> None:
    guarded = {route.path: set(getattr(route, "roles", ())) for route in routes()}
    assert {path: guarded[path] for path in ADDRESSES} == {path: roles for path, (_, roles) in ADDRESSES.items()}


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("path", ADDRESSES)
async def test_a_route_answers_those_whom_it_is_for(client: httpx.AsyncClient, path: str, role: str) -> None:
    address, roles = ADDRESSES[path]
    answer = await client.get(address, headers=HEADERS[role])
    assert answer.status_code == (200 if role in roles else 404), answer.text


@pytest.mark.parametrize("path", ADDRESSES)
async def test_no_route_answers_without_a_token(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get(ADDRESSES[path][0])).status_code == 401


@pytest.mark.parametrize(
    "headers", [OTHERS_EXAMINER, bearer(STRANGER), bearer(OTHERS[0].user_id), bearer(STRANGER, "examiner", [])]
)
@pytest.mark.parametrize("path", [EXAM, f"{EXAM}/sessions", SESSION, f"{SESSION}/timeline.csv"])
async def test_what_is_not_theirs_is_answered_as_what_is_not_there(
    client: httpx.AsyncClient, path: str, headers: dict[str, str]
) -> None:
    hidden = await client.get(path, headers=headers)
    missing = await client.get(path.replace(ROSTER.exam_id, NOBODYS).replace(ONE.session_id, NOBODYS), headers=AUDITOR)
    for answer in (hidden, missing):
        assert answer.status_code == 404
    assert hidden.content == missing.content
    assert _without_length(hidden) == _without_length(missing)


def _without_length(answer: httpx.Response) -> dict[str, str]:
    return dict(answer.headers)


@pytest.mark.parametrize("id_", ["x", "1", "%00", "..", "' OR 1=1 --", ROSTER.exam_id + "'"])
async def test_an_id_that_is_none_is_not_there(client: httpx.AsyncClient, id_: str) -> None:
    for path in (f"/api/exams/{id_}", f"/api/exams/{id_}/sessions", f"/api/sessions/{id_}"):
        assert (await client.get(path, headers=AUDITOR)).status_code == 404


WILD = ["'; DROP TABLE attempt_events; --", "\x00", "x" * 501, "-1", "1e400", "{}", "%s", "💥" * 3]


@pytest.mark.parametrize("wild", WILD)
@pytest.mark.parametrize(
    ("path", "name"),
    [
        *((EXAM, name) for name in ("from", "to")),
        *((f"{EXAM}/sessions", name) for name in ("from", "to", "behind", "question", "to_question", "completion")),
        *((f"{EXAM}/sessions", name) for name in ("complete", "after", "at_least_ms", "below_ms")),
        ("/api/accesses", "after"),
    ],
)
async def test_what_cannot_be_read_is_a_sentence(client: httpx.AsyncClient, path: str, name: str, wild: str) -> None:
    answer = await client.get(path, params={name: wild}, headers=AUDITOR)
    if (name, wild) in {("from", "-1"), ("to", "-1")}:  # a second before 1970
        assert answer.status_code == 200
        return
    assert answer.status_code == 422
    problem = answer.json()
    assert problem["status"] == 422
    assert len(problem["detail"]) > 10


@pytest.mark.parametrize("wild", [it for it in WILD if it not in ("\x00", "x" * 501)])
@pytest.mark.parametrize("name", ["group", "reason"])
async def test_words_that_nobody_has_find_nobody(client: httpx.AsyncClient, name: str, wild: str) -> None:
    answer = await client.get(f"{EXAM}/sessions", params={name: wild}, headers=AUDITOR)
    assert answer.json() == {"total": 0, "sessions": [], "next": None}


async def test_an_exam_says_what_its_functions_say(client: httpx.AsyncClient, exams: TwoExams) -> None:
    exam = (await client.get(EXAM, headers=EXAMINER)).json()
    assert (exam["title"], exam["groups"], exam["freshness"]["due"]) == (TITLE, [GROUP], 0)
    assert exam["freshness"]["as_of"]
    assert exam["coverage"] == {"sessions": len(CLASS), "complete": len(CLASS), "reasons": {}}
    assert exam["completion"] == {"submitted": len(CLASS), "expired": 0, "open": 0, "unknown": 0}
    assert [(each["position"], each["title"]) for each in exam["questions"]] == [
        (place, f"Question {place}") for place in range(1, len(ROSTER.question_ids) + 1)
    ]
    assert len(exam["times"]) == len(CLASS)
    assert exam["navigation"]
    assert all(each["marked"] == len(CLASS) for each in exam["questions"])


async def test_a_group_and_a_time_choose_the_sessions(client: httpx.AsyncClient) -> None:
    everybody = (await client.get(f"{EXAM}/sessions", headers=AUDITOR)).json()["sessions"]
    in_group = (await client.get(EXAM, params={"group": GROUP}, headers=AUDITOR)).json()
    assert in_group["coverage"]["sessions"] == 4
    middle = everybody[5]["began_at"]
    before = (await client.get(EXAM, params={"to": middle}, headers=AUDITOR)).json()["coverage"]["sessions"]
    after = (await client.get(EXAM, params={"from": middle}, headers=AUDITOR)).json()["coverage"]["sessions"]
    assert before + after == len(CLASS)
    assert before == sum(each["began_at"] < middle for each in everybody)


OF_QUESTION = {
    "viewed": "viewed",
    "times": "times",
    "rapid": "rapid",
    "marked": "marked",
    "changed": "changed",
    "WR": "wrong_to_right",
    "RW": "right_to_wrong",
    "WW": "wrong_to_wrong",
    "RR": "right_to_right",
}


@pytest.mark.parametrize("chosen", [{}, {"group": GROUP}])
async def test_behind_every_figure_are_as_many_sessions_as_it_says(
    client: httpx.AsyncClient, chosen: dict[str, str]
) -> None:
    async def behind(**query: Any) -> int:
        answer = await client.get(f"{EXAM}/sessions", params=chosen | query, headers=EXAMINER)
        total: int = answer.json()["total"]
        assert len(answer.json()["sessions"]) == total
        return total

    exam = (await client.get(EXAM, params=chosen, headers=EXAMINER)).json()
    assert await behind() == exam["coverage"]["sessions"]
    assert await behind(complete=True) == exam["coverage"]["complete"]
    assert await behind(behind="effort_below_090") == exam["effort"]["below_090"]
    assert await behind(behind="effort_known") == exam["effort"]["known"]
    middle = sorted(exam["times"])[1]
    assert await behind(behind="time") == len(exam["times"])
    assert await behind(behind="time", at_least_ms=middle) == len(exam["times"]) - 1
    assert await behind(behind="time", below_ms=middle) == 1
    assert await behind(behind="time", at_least_ms=middle, below_ms=middle) == 0
    for completion, count in exam["completion"].items():
        assert await behind(completion=completion) == count
    for question in exam["questions"][:4]:
        for name, field in OF_QUESTION.items():
            assert await behind(behind=name, question=question["question_id"]) == (question[field] or 0), name
    for move in exam["navigation"][:5]:
        query = {"question": move["from_question_id"], "to_question": move["to_question_id"]}
        assert await behind(behind="moved", **query) == move["sessions"]


@pytest.mark.parametrize("query", [{"behind": "viewed"}, {"behind": "moved", "question": NOBODYS}])
async def test_a_figure_of_a_question_wants_the_question(client: httpx.AsyncClient, query: dict[str, str]) -> None:
    answer = await client.get(f"{EXAM}/sessions", params=query, headers=AUDITOR)
    assert answer.status_code == 422
    assert "question" in answer.json()["detail"]


async def test_pages_of_sessions_follow_each_other(client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("attemptlog.event_store.exam_page", "attemptlog.console.exams"):
        monkeypatch.setattr(f"{module}.PAGE_OF_SESSIONS", 5)
    seen: list[str] = []
    query: dict[str, str] = {}
    while True:
        page = (await client.get(f"{EXAM}/sessions", params=query, headers=AUDITOR)).json()
        assert page["total"] == len(CLASS)
        seen += [each["session_id"] for each in page["sessions"]]
        if page["next"] is None:
            break
        query = {"after": page["next"]}
    assert sorted(seen) == sorted(sitting.session_id for sitting in CLASS)


async def test_exams_are_listed_for_those_who_may_see_them(client: httpx.AsyncClient) -> None:
    listed = {
        name: [each["exam_id"] for each in (await client.get("/api/exams", headers=headers)).json()]
        for name, headers in {"one": EXAMINER, "none": bearer(STRANGER, "examiner", []), "all": AUDITOR}.items()
    }
    assert listed["one"] == [ROSTER.exam_id]
    assert listed["none"] == []
    assert sorted(listed["all"]) == sorted([ROSTER.exam_id, OTHER.exam_id, THIRD.exam_id])


async def test_an_attempt_is_told_in_the_order_in_which_it_happened(client: httpx.AsyncClient) -> None:
    attempt = (await client.get(SESSION, headers=EXAMINER)).json()
    assert (attempt["session_id"], attempt["user_id"]) == (ONE.session_id, ONE.user_id)
    assert attempt["exam_title"] == TITLE
    assert [line["event_type"] for line in attempt["lines"]] == [event.event_type for event in ONE.events]
    assert attempt["more_lines"] == 0
    assert attempt["summary"]["completion"] == "submitted"
    assert attempt["verdict"]["is_complete"]
    assert "The log is complete." in attempt["verdict"]["sentences"]
    assert any(line["detail"] for line in attempt["lines"])
    assert {line["run"] for line in attempt["lines"] if line["origin"] == "page"} == {1}
    assert [each["position"] for each in attempt["questions"]] == list(range(1, len(attempt["questions"]) + 1))
    assert any(each["mark"] is not None for each in attempt["questions"])


async def test_no_candidate_reads_the_key_off_their_own_attempt(client: httpx.AsyncClient) -> None:
    attempt = (await client.get(SESSION, headers=CANDIDATE)).json()
    hidden = {(each["mark"], each["mark_reason"], each["change_kind"]) for each in attempt["questions"]}
    assert hidden == {(None, "not_shown", None)}
    assert (attempt["summary"]["marks"], attempt["summary"]["marks_reason"]) == (None, "not_shown")
    assert attempt["summary"]["answered"] is not None


def accesses(exams: TwoExams, session: str) -> list[tuple[Any, ...]]:
    return exams.rows(
        "SELECT accessed_by, command, reason, subject_kind FROM data_accesses WHERE subject = %s ORDER BY id", session
    )


@pytest.mark.parametrize(("headers", "path"), [(EXAMINER, ""), (AUDITOR, "/timeline.csv")])
async def test_who_opens_a_persons_attempt_is_written_down(
    client: httpx.AsyncClient, exams: TwoExams, headers: dict[str, str], path: str
) -> None:
    session = CLASS[5].session_id if path else CLASS[6].session_id
    address = f"/api/sessions/{session}{path}"
    assert (await client.get(address, params={"why": "an appeal"}, headers=headers)).status_code == 200
    assert (await client.get(address, headers=headers)).status_code == 200
    assert accesses(exams, session) == [
        (STRANGER, "console", "an appeal", "session"),
        (STRANGER, "console", None, "session"),
    ]
    page = (await client.get("/api/accesses", headers=AUDITOR)).json()
    assert [(it["by"], it["subject"], it["reason"]) for it in page["accesses"][:2]] == [
        (STRANGER, session, None),
        (STRANGER, session, "an appeal"),
    ]


async def test_who_looks_at_their_own_or_at_nothing_is_not_written_down(
    client: httpx.AsyncClient, exams: TwoExams
) -> None:
    own = CLASS[7]
    assert (await client.get(f"/api/sessions/{own.session_id}", headers=bearer(own.user_id))).status_code == 200
    for headers in (OTHERS_EXAMINER, OPERATOR, bearer(STRANGER)):
        assert (await client.get(f"/api/sessions/{own.session_id}", headers=headers)).status_code == 404
    assert (await client.get(f"/api/sessions/{NOBODYS}", headers=AUDITOR)).status_code == 404
    assert accesses(exams, own.session_id) == accesses(exams, NOBODYS) == []


@pytest.mark.parametrize("why", [f"because of {ONE.user_id}", "two\nlines", "x" * 501])
async def test_a_reason_that_cannot_be_kept_is_refused_and_nothing_is_shown(
    client: httpx.AsyncClient, exams: TwoExams, why: str
) -> None:
    session = CLASS[8].session_id
    answer = await client.get(f"/api/sessions/{session}", params={"why": why}, headers=AUDITOR)
    assert answer.status_code == 422
    assert "why" in answer.json()["detail"]
    assert accesses(exams, session) == []


async def test_what_cannot_be_written_down_is_not_shown(exams: TwoExams) -> None:
    exams.run("REVOKE INSERT ON data_accesses FROM attemptlog_reader")
    try:
        async with client_of(console(exams.reader)) as client:
            answer = await client.get(SESSION, headers=AUDITOR)
            assert (await client.get("/readyz")).status_code == 503
    finally:
        exams.run("GRANT INSERT ON data_accesses TO attemptlog_reader")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    assert ONE.user_id not in answer.text


async def test_pages_of_accesses_follow_each_other(client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("attemptlog.event_store.looks", "attemptlog.console.accesses"):
        monkeypatch.setattr(f"{module}.PAGE_OF_ACCESSES", 2)
    for _ in range(5):
        await client.get(SESSION, headers=AUDITOR)
    seen: list[Any] = []
    page = (await client.get("/api/accesses", headers=AUDITOR)).json()
    while page["next"]:
        seen += page["accesses"]
        page = (await client.get("/api/accesses", params={"after": page["next"]}, headers=AUDITOR)).json()
    times = [each["at"] for each in seen + page["accesses"]]
    assert len(times) >= 5
    assert times == sorted(times, reverse=True)


async def test_of_whose_data_they_were_a_pseudonym_is_left_once_they_are_purged(
    client: httpx.AsyncClient, exams: TwoExams
) -> None:
    exams.run(
        "INSERT INTO data_accesses (accessed_by, command, subject_kind, subject, is_pseudonym) "
        "VALUES ('somebody', 'sessions show', 'session', gen_random_uuid(), true)"
    )
    [last, *_] = (await client.get("/api/accesses", headers=AUDITOR)).json()["accesses"]
    assert (last["by"], last["subject_kind"], last["is_pseudonym"]) == ("somebody", "session", True)


async def test_of_whoever_is_purged_nothing_is_shown(exams: TwoExams) -> None:
    gone, session_gone = CLASS[9], CLASS[10]
    with psycopg.connect(exams.url) as connection:
        suppress(connection, users=[gone.user_id], sessions=[session_gone.session_id])
    async with client_of(console(exams.reader, pseudonym_key=KEY)) as client:
        missing = await client.get(f"/api/sessions/{NOBODYS}", headers=AUDITOR)
        for sitting in (gone, session_gone):
            for headers in (AUDITOR, bearer(sitting.user_id)):
                answer = await client.get(f"/api/sessions/{sitting.session_id}", headers=headers)
                assert (answer.status_code, answer.content) == (404, missing.content)
        assert (await client.get(SESSION, headers=AUDITOR)).status_code == 200
    async with client_of(console(exams.reader)) as client:  # without the key, nobody can tell
        assert (await client.get(SESSION, headers=AUDITOR)).status_code == 503
    with psycopg.connect(exams.url) as connection:
        connection.execute("DELETE FROM suppressions")
        connection.execute("DELETE FROM suppression_key")


async def test_a_table_for_spreadsheets_has_the_verdict_and_no_formula(client: httpx.AsyncClient) -> None:
    answer = await client.get(f"/api/sessions/{OTHERS[0].session_id}/timeline.csv", headers=AUDITOR)
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == f'attachment; filename="attempt-{OTHERS[0].session_id}.csv"'
    rows = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert ["exam title", "'=SUM(A1)"] in rows
    assert ["audit", "The log is complete."] in rows
    head = rows.index([]) + 1
    events = [dict(zip(rows[head], row, strict=True)) for row in rows[head + 1 :]]
    assert [event["event_type"] for event in events] == [event.event_type for event in OTHERS[0].events]


async def test_what_is_missing_is_on_the_line_and_in_the_verdict(client: httpx.AsyncClient, exams: TwoExams) -> None:
    torn = TORN[0]
    attempt = (await client.get(f"/api/sessions/{torn.session_id}", headers=AUDITOR)).json()
    kinds = [line["kind"] for line in attempt["lines"]]
    assert (kinds.count("gap"), kinds.count("dead letter")) == (1, 1)
    assert attempt["verdict"] | {"sentences": []} == {
        "is_complete": False,
        "stored": len(torn.events) - 2,
        "lost": 2,
        "dead_letters": 1,
        "dropped": 0,
        "sentences": [],
    }
    said = " ".join(attempt["verdict"]["sentences"])
    assert "2 numbers are missing" in said
    assert "1 event came and could not be stored" in said
    assert "The log is not complete" in said
    assert attempt["summary"]["visits"] is None
    assert attempt["summary"]["visits_reason"] == "gap"


async def test_a_session_of_dead_letters_alone_is_told_as_such(client: httpx.AsyncClient) -> None:
    attempt = (await client.get(f"/api/sessions/{TORN[1].session_id}", headers=AUDITOR)).json()
    assert (attempt["summary"]["completion"], attempt["summary"]["log_reason"]) == ("unknown", "dead_letter")
    assert [line["kind"] for line in attempt["lines"]] == ["dead letter"]
    assert attempt["verdict"]["dead_letters"] == 1


async def test_an_exam_without_a_session_is_empty_and_there(client: httpx.AsyncClient, exams: TwoExams) -> None:
    new, question = str(uuid.uuid4()), sorted(ROSTER.question_ids)[0]
    exams.run("INSERT INTO exams (id) VALUES (%s)", new)
    exams.run("INSERT INTO exam_questions (exam_id, question_id) VALUES (%s, %s)", new, question)
    exam = (await client.get(f"/api/exams/{new}", headers=bearer(STRANGER, "examiner", [new]))).json()
    assert exam["coverage"] == {"sessions": 0, "complete": 0, "reasons": {}}
    assert [each["question_id"] for each in exam["questions"]] == [question]
    assert (await client.get(f"/api/exams/{new}", headers=EXAMINER)).status_code == 404


MAKE_DUE = "INSERT INTO figures_due (session_id, exam_id, since, turn) VALUES (%s, %s, now(), now())"


async def test_new_events_are_in_the_figures_soon(exams: TwoExams) -> None:
    async with client_of(console(exams.reader)) as client:
        exams.run(MAKE_DUE, ONE.session_id, ROSTER.exam_id)

        async def is_caught_up() -> bool:
            return bool((await client.get(EXAM, headers=AUDITOR)).json()["freshness"]["due"] == 0)

        await eventually(is_caught_up)
        assert "attemptlog_console_figures_due 0.0" in (await client.get("/metrics")).text
        assert (await client.get("/readyz")).json() == {"database": True}


async def test_without_postgresql_the_api_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("attemptlog.console.reader.WAIT_FOR_CONNECTION", timedelta(milliseconds=200))
    async with client_of(console()) as client:
        answer = await client.get("/api/exams", headers=AUDITOR)
        assert (answer.status_code, answer.json()["detail"]) == (503, "the database cannot be read now; try again")
        assert (await client.get("/readyz")).status_code == 503


NAMES = (
    "from",
    "to",
    "group",
    "behind",
    "question",
    "to_question",
    "completion",
    "complete",
    "reason",
    "after",
    "why",
    "below_ms",
)
SHARDS = (
    *("2026-01-01", "2026-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59.999999-14:00", "0", "-1"),
    *("1e9", "99999999999999999999", "true", "viewed", "moved", "WR", "rapid", "open", "gap", "Room 1", ROSTER.exam_id),
    *(NOBODYS, sorted(ROSTER.question_ids)[0], "\x00", "\ud7ff", "\u202e", "%", "'", "{}", "[]", "_", "", "∞", "nan"),
    *("2026-01-01T00:00:00Z_" + NOBODYS, "0001-01-01T00:00:00+14:00_" + NOBODYS, "_" + NOBODYS),
)


@pytest.mark.parametrize("seed", range(2))
async def test_whatever_is_asked_is_answered_and_never_with_a_fault(client: httpx.AsyncClient, seed: int) -> None:
    dice = random.Random(seed)  # noqa: S311 - for chance, not for secrets
    for _ in range(40):
        path = dice.choice([EXAM, f"{EXAM}/sessions", f"{EXAM}/sessions", f"{SESSION}/timeline.csv", "/api/accesses"])
        asked: Any = [(name, dice.choice(SHARDS)) for name in dice.choices(NAMES, k=dice.randint(0, 5))]
        answer = await client.get(path, params=asked, headers=AUDITOR)
        assert answer.status_code in (200, 422), (path, asked, answer.text)
