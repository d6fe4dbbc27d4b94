"""Who is let in to the console, and what protects its answers; without a database."""

import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import jwt
import pytest
from fastapi.routing import APIRoute

from attemptlog.console.app import API
from attemptlog.console.guard import ANYBODY, COOKIE, GuardedRoute, api_router, only
from attemptlog.console.timeline_csv import cell
from attemptlog.console.viewer import ROLES
from tests.support.console import bearer, client_of, console
from tests.support.http import token

USER, EXAM = "01890a5d-ac96-774b-bcce-b302099a0001", "01890a5d-ac96-774b-bcce-b302099a0002"
JSON = {"content-type": "application/json"}


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text("<!doctype html>")
    (tmp_path / "assets/index-1.js").write_text("1")
    async with client_of(console(pages=tmp_path, console_platform_url="https://exams.example/")) as it:
        yield it


async def test_a_token_without_a_role_is_a_candidates(client: httpx.AsyncClient) -> None:
    answer = await client.get("/api/me", headers=bearer(USER))
    assert answer.json() == {
        "user_id": USER,
        "role": "candidate",
        "exams": [],
        "platform_url": "https://exams.example/",
    }


@pytest.mark.parametrize("role", ROLES)
async def test_only_an_examiner_has_exams(client: httpx.AsyncClient, role: str) -> None:
    me = (await client.get("/api/me", headers=bearer(USER, role, [EXAM.upper(), EXAM]))).json()
    assert (me["role"], me["exams"]) == (role, [EXAM] if role == "examiner" else [])


@pytest.mark.parametrize("role", ["admin", "", "Auditor", 1, ["auditor"], {"auditor": True}, True])
async def test_a_role_that_nobody_knows_is_refused(client: httpx.AsyncClient, role: object) -> None:
    answer = await client.get("/api/me", headers=bearer(USER, role))  # type: ignore[arg-type]
    assert answer.status_code == 401
    assert "attemptlog_role is none of candidate, examiner, operator, auditor" in answer.json()["detail"]


@pytest.mark.parametrize("exams", ["*", EXAM, [1], [None], ["*"], [[EXAM]], {"a": EXAM}, [f"{EXAM}\n"], [f"{EXAM},"]])
async def test_exams_that_are_no_list_of_ids_are_refused(client: httpx.AsyncClient, exams: object) -> None:
    answer = await client.get("/api/me", headers=bearer(USER, "examiner", exams))
    assert answer.status_code == 401
    assert "attemptlog_exams" in answer.json()["detail"]


async def test_an_examiner_without_exams_has_none(client: httpx.AsyncClient) -> None:
    answer = await client.get("/api/me", headers=bearer(USER, "examiner"))
    assert answer.json()["exams"] == []


async def test_the_claims_names_can_be_others() -> None:
    async with client_of(console(console_role_claim="r", console_exams_claim="e")) as client:
        me = (await client.get("/api/me", headers=bearer(USER, "auditor", r="examiner", e=[EXAM]))).json()
    assert (me["role"], me["exams"]) == ("examiner", [EXAM])


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer "},
        {"authorization": "Basic eDp5"},
        {"authorization": f"Bearer {token(USER)}x"},
        {"authorization": f"Bearer {token(USER, exp=1)}"},
        {"authorization": f"Bearer {token('somebody')}"},
        {"authorization": f"Bearer {token(USER, 'another secret, which is long enough for HS256')}"},
        {"authorization": f"Bearer {jwt.encode({'sub': USER, 'exp': 9e9}, '', algorithm='none')}"},
        {"authorization": f"Bearer {token(USER, algorithm='HS384')[:-1]}"},
        {"cookie": f"{COOKIE}=x"},
        {"cookie": f"access_token={token(USER)}"},
    ],
)
async def test_without_a_good_token_there_is_a_401(client: httpx.AsyncClient, headers: dict[str, str]) -> None:
    answer = await client.get("/api/me", headers=headers)
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == 401


async def test_a_token_is_kept_in_a_cookie_that_no_script_and_no_other_site_has(client: httpx.AsyncClient) -> None:
    answer = await client.post("/api/session", json={"token": token(USER, attemptlog_role="auditor")})
    assert answer.json()["role"] == "auditor"
    [cookie] = answer.headers.get_list("set-cookie")
    name, *flags = (part.strip().lower() for part in cookie.split(";"))
    assert name.startswith(f"{COOKIE}=")
    assert {"httponly", "samesite=strict", "path=/"} <= set(flags)
    assert "secure" not in flags
    assert [flag for flag in flags if flag.startswith("max-age=") and 50 <= int(flag[8:]) <= 60]
    assert (await client.get("/api/me")).json()["role"] == "auditor"


async def test_a_token_may_expire_beyond_any_calendar(client: httpx.AsyncClient) -> None:
    answer = await client.post("/api/session", json={"token": token(USER, exp=10**400)})
    assert "Max-Age=34560000;" in answer.headers["set-cookie"] or "Max-Age=34559999;" in answer.headers["set-cookie"]


async def test_under_https_the_cookie_goes_no_other_way(client: httpx.AsyncClient) -> None:
    headers = {"origin": "https://console.example"}
    entered = await client.post("/api/session", json={"token": token(USER)}, headers=headers)
    left = await client.delete("/api/session", headers=headers | JSON)
    assert all("; Secure" in answer.headers["set-cookie"] for answer in (entered, left))


async def test_who_has_logged_out_is_not_known_any_more(client: httpx.AsyncClient) -> None:
    await client.post("/api/session", json={"token": token(USER)})
    await client.delete("/api/session", headers=JSON)
    assert (await client.get("/api/me")).status_code == 401


@pytest.mark.parametrize("bad", ["", "x", "a.b.c", "a.b.c; Path=/", f"{token(USER)}\r\nx: y", token(USER, exp=1)])
async def test_no_cookie_is_made_of_what_is_no_token(client: httpx.AsyncClient, bad: str) -> None:
    answer = await client.post("/api/session", json={"token": bad})
    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers


async def test_a_token_that_a_browser_would_drop_is_refused_with_the_reason(client: httpx.AsyncClient) -> None:
    long = token(USER, attemptlog_role="examiner", attemptlog_exams=[str(uuid.uuid4()) for _ in range(90)])
    answer = await client.post("/api/session", json={"token": long})
    assert answer.status_code == 401
    assert "name fewer exams" in answer.json()["detail"]
    assert (await client.get("/api/me", headers={"authorization": f"Bearer {long}"})).status_code == 200


@pytest.mark.parametrize("site", ["cross-site", "same-site", "nonsense"])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "HEAD", "OPTIONS"])
async def test_another_sites_page_is_refused(client: httpx.AsyncClient, method: str, site: str) -> None:
    headers = {"sec-fetch-site": site, **JSON}
    answer = await client.request(method, "/api/session", headers=headers, content=b'{"token": "x"}')
    assert answer.status_code == 403


@pytest.mark.parametrize("kind", [None, "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
@pytest.mark.parametrize("method", ["POST", "DELETE"])
async def test_what_a_foreign_form_can_send_is_refused(
    client: httpx.AsyncClient, method: str, kind: str | None
) -> None:
    headers = {"content-type": kind} if kind else {}
    body = b'{"token": "x"}' if kind else None
    answer = await client.request(method, "/api/session", headers=headers, content=body)
    assert answer.status_code == 415


async def test_a_body_over_the_bound_is_refused(client: httpx.AsyncClient) -> None:
    answer = await client.post("/api/session", json={"token": "x" * 100_000})
    assert answer.status_code == 413
    assert answer.json()["status"] == answer.status_code
    assert len(answer.content) < 1000


async def test_a_body_that_does_not_say_how_large_it_is_has_the_same_bound(client: httpx.AsyncClient) -> None:
    async def endless() -> AsyncIterator[bytes]:
        yield b'{"token": "'
        for _ in range(200):
            yield b"x" * 1024

    assert (await client.post("/api/session", content=endless(), headers=JSON)).status_code == 413


@pytest.mark.parametrize("path", ["/", "/api/me", "/api/nothing", "/nothing", "/healthz", "/assets/index-1.js"])
async def test_every_answer_is_protected(client: httpx.AsyncClient, path: str) -> None:
    headers = (await client.get(path)).headers
    assert headers["content-security-policy"].startswith("default-src 'self'; ")
    assert "'unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert "access-control-allow-origin" not in headers
    kept = path.startswith("/assets/")
    assert headers["cache-control"] == ("public, max-age=31536000, immutable" if kept else "no-store")


async def test_a_slash_at_the_end_and_head_make_no_difference(client: httpx.AsyncClient) -> None:
    headers = bearer(USER)
    for method, path in (("GET", "/api/me/"), ("HEAD", "/api/me"), ("HEAD", "/api/me/"), ("HEAD", "/")):
        assert (await client.request(method, path, headers=headers)).status_code == 200


async def test_what_is_not_there_is_a_problem_in_the_same_words(client: httpx.AsyncClient) -> None:
    answers = [await client.get(path, headers=bearer(USER)) for path in ("/api/x", "/x", "/../etc/passwd", "/assets/x")]
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.content for answer in answers}) == 1


async def test_a_method_that_an_address_does_not_take_is_a_problem(client: httpx.AsyncClient) -> None:
    answer = await client.put("/api/me", headers=bearer(USER) | JSON)
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")


async def test_without_its_database_the_console_serves_and_is_not_ready(client: httpx.AsyncClient) -> None:
    assert (await client.get("/healthz")).status_code == 200
    assert (await client.get("/metrics")).status_code == 200


async def test_requests_are_counted_by_status(client: httpx.AsyncClient) -> None:
    await client.get("/api/me")
    assert 'attemptlog_console_requests_total{status="401"} 1.0' in (await client.get("/metrics")).text


def test_a_route_that_does_not_say_for_whom_it_is_cannot_be_made() -> None:
    router = api_router()
    with pytest.raises(TypeError, match="/api/x does not say for which roles it is"):
        router.get("/api/x")(lambda: None)
    with pytest.raises(TypeError):
        router.get("/api/x", dependencies=[*only("auditor"), *ANYBODY])(lambda: None)


def test_every_route_of_the_api_is_guarded() -> None:
    routes = [route for router in API for route in router.routes if isinstance(route, APIRoute)]
    assert routes
    assert all(isinstance(route, GuardedRoute) and route.path.startswith("/api/") for route in routes)
    assert [route.path for route in routes if not getattr(route, "roles", None)] == ["/api/session"] * 2


def test_a_cell_is_never_a_formula() -> None:
    assert [cell(it) for it in ("=1+1", "+1", "-1", "@A1", "\t=1", "\r=1", "\n=1")] == [
        "'=1+1",
        "'+1",
        "'-1",
        "'@A1",
        "'\t=1",
        "'\r=1",
        "'\n=1",
    ]
    assert [cell(it) for it in (None, -1, -1.5, True, "a=b", {"choice": "=1"})] == [
        "",
        "-1",
        "-1.5",
        "True",
        "a=b",
        '{"choice":"=1"}',
    ]
