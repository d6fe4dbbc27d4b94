"""The pipeline as an operator runs it: real processes, one folder each."""

import json
import shlex
import signal
from pathlib import Path
from urllib.parse import parse_qsl
from uuid import uuid4

import httpx
import psutil
import psycopg
import pytest

from attemptlog.local_stack.ports import free_port
from attemptlog.runtime.pseudonyms import Pseudonyms
from attemptlog.simulation.recorded import COLUMNS
from tests.support.command import STOP_TIMEOUT, Folder
from tests.support.eventually import eventually
from tests.support.suppression import suppressing

LOG = "\n".join(
    [
        ",".join(COLUMNS),
        *(f's{n % 7},u{n % 7},{n // 7 + 1},QUESTION_VIEWED,q{n % 5},{n},web,"{{}}",observed' for n in range(700)),
        "",
    ]
)

# What no privilege can forbid: a superuser who deletes behind the ledger's back.
TAMPER = """
CREATE FUNCTION tamper() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    PERFORM set_config('attemptlog.purge', 'on', true);
    DELETE FROM attempt_events WHERE event_type = 'SESSION_SUBMITTED';  -- each simulated session has one
    RETURN NULL;
END
$$;
CREATE TRIGGER tamper AFTER INSERT ON attempt_events FOR EACH STATEMENT EXECUTE FUNCTION tamper();
"""


@pytest.fixture(scope="module")
def alone(stack_directory: Path) -> Folder:
    """A folder whose pipeline has servers of its own, on ports that no other pipeline of this machine tries first."""
    it = Folder(stack_directory / "a folder")
    it.ports += [f"--kafka-port={free_port()}", f"--postgres-port={free_port()}"]
    return it


@pytest.fixture
def folder(stack_directory: Path, kafka_bootstrap: str, database_url: str, topic: str) -> Folder:
    """A folder whose pipeline uses the servers of this test run."""
    settings = {"kafka_bootstrap_servers": kafka_bootstrap, "database_url": database_url, "topic": topic}
    return Folder(stack_directory / uuid4().hex, settings | {"consumer_group": topic})


def test_demo_accounts_for_every_event_and_leaves_nothing_running(alone: Folder) -> None:
    done = alone.run("demo", "--candidates=5", *alone.ports)

    facts = dict(line.strip("│ ").split("│") for line in done.stdout.splitlines() if line.startswith("│"))
    facts = {name.strip(): value.strip() for name, value in facts.items()}
    assert done.returncode == 0, done.stderr
    assert facts["sent"] == facts["accepted"] == facts["stored"] != "0"
    assert facts["audit"].startswith("agrees")
    assert facts["freshness p50, p99"] != "n/a"
    assert alone.processes() == []


async def test_up_answers_other_commands_stops_on_ctrl_c_with_nothing_left_and_keeps_its_key(alone: Folder) -> None:
    async with alone.up("--candidates=2") as up:
        suppress_somebody(alone)
        simulated, healthy, twice = alone.run("simulate", "--candidates=1"), alone.run("doctor"), alone.run("up")
        page = await eventually(lambda: httpx.get(alone.platform))
        exams = exams_for_an_auditor(alone)

        assert up.stop(signal.SIGINT) == 0, up.output

    assert (simulated.returncode, healthy.returncode) == (0, 0), simulated.stderr + healthy.stdout
    assert "pseudonym_key_wrong" not in (alone.path / ".attemptlog" / "logs" / "gateway.log").read_text()
    assert (page.status_code, "<title>Exam platform</title>" in page.text) == (200, True)
    assert (exams.status_code, len(exams.json()) > 0) == (200, True)
    assert f"{alone.platform}/console?as=auditor" in up.output
    assert (twice.returncode, "running in this folder already" in twice.stderr) == (1, True)
    assert up.output.endswith("Stopped.\n")
    assert alone.processes() == []
    assert not (alone.path / ".attemptlog" / "env").exists()
    async with alone.up("--candidates=0"):
        assert alone.run("simulate", "--candidates=1").returncode == 0, "it is the same key after a restart"


def exams_for_an_auditor(folder: Folder) -> httpx.Response:
    """As a browser does that follows the platform's link to the console."""
    console, _, fragment = httpx.get(f"{folder.platform}/console?as=auditor").headers["location"].partition("/#")
    assert console == folder.console
    token = dict(parse_qsl(fragment))["token"]
    return httpx.get(f"{console}/api/exams", headers={"authorization": f"Bearer {token}"})


def suppress_somebody(folder: Folder) -> None:
    """As a purge does, by the key that `up` made: a service or a command that knows another refuses everybody."""
    lines = shlex.split((folder.path / ".attemptlog" / "env").read_text())
    environment = dict(line.split("=", 1) for line in lines if line != "export")
    key = Pseudonyms(environment["ATTEMPTLOG_PSEUDONYM_KEY"])
    suppressing(environment["ATTEMPTLOG_DATABASE_URL"], users=[str(uuid4())], by=key)


async def test_a_file_sent_again_is_counted_as_duplicates_and_events_that_vanish_are_noticed(
    folder: Folder, database_url: str
) -> None:
    (folder.path / "log.csv").write_text(LOG)
    async with folder.up("--candidates=0"):
        first = folder.run("simulate", "--events=log.csv", "--duplicates=50%", "--out-of-order", "--json")
        again = folder.run("simulate", "--events=log.csv", "--json")
        audited = folder.run("audit", "--json")
        with psycopg.connect(database_url) as connection:
            connection.execute(TAMPER)
        tampered, noticed = folder.run("simulate", "--candidates=3"), folder.run("audit")
        down = folder.run("down")

    assert [done.returncode for done in (first, again, audited, down)] == [0, 0, 0, 0], first.stderr + again.stderr
    stored = json.loads(first.stdout)
    assert stored["stored"] == 700
    assert stored["duplicates"] == stored["repeated"] > 0
    assert {name: json.loads(again.stdout)[name] for name in ("stored", "duplicates")} == {
        "stored": 0,
        "duplicates": 700,
    }
    assert json.loads(audited.stdout)["agrees"] is True
    assert (tampered.returncode, noticed.returncode) == (1, 1)
    assert "3 accepted events are neither stored nor dead letters" in tampered.stderr
    assert "attempt_events has" in noticed.stdout
    assert down.stdout.startswith("Stopped `attemptlog up`")
    assert folder.processes() == []


async def test_up_stops_and_shows_the_log_when_a_service_dies(folder: Folder) -> None:
    async with folder.up("--candidates=0") as up:
        [gateway] = [each for each in folder.processes() if "ingest" in each.cmdline()]
        gateway.send_signal(signal.SIGKILL)

        assert up.process.wait(STOP_TIMEOUT) == 1

    assert "The gateway stopped (exit status -9); its last lines:" in up.output
    assert "Application startup complete." in up.output
    assert folder.processes() == []


@pytest.mark.skipif(not psutil.LINUX, reason="elsewhere a service outlives its parent until the next command")
async def test_a_killed_up_takes_its_services_with_it(folder: Folder) -> None:
    async with folder.up("--candidates=0") as up:
        up.process.kill()
        await eventually(lambda: folder.processes() == [])

    assert folder.run("down").stdout == "Nothing is running here.\n"
