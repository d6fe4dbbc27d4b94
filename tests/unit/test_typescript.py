import json
import re
from importlib.metadata import version
from pathlib import Path

from typer.testing import CliRunner

from attemptlog.cli.app import app
from attemptlog.schemas import EVENT_TYPES
from attemptlog.schemas.typescript import typescript

CLIENT = Path(__file__).parents[2] / "client"
EVENTS_TS = CLIENT / "src/events.ts"


def test_the_types_of_the_client_are_those_of_the_contract() -> None:
    assert EVENTS_TS.read_text() == typescript(), "stale: attemptlog schema typescript > client/src/events.ts"


def test_the_client_has_the_version_of_the_rest() -> None:
    assert json.loads((CLIENT / "package.json").read_text())["version"] == version("attemptlog")


def test_the_command_prints_the_module_as_it_is() -> None:
    result = CliRunner().invoke(app, ["schema", "typescript"])

    assert (result.exit_code, result.stdout) == (0, typescript())


def test_every_event_type_has_a_payload() -> None:
    assert all(f"\n  {event_type}: {{ " in typescript() for event_type in EVENT_TYPES)


def test_fields_are_typed_as_json_holds_them() -> None:
    source = typescript()

    assert "MARK_FOR_REVIEW_TOGGLED: { pos: number; marked: boolean };" in source
    assert 'PAUSE_BLUR: { state: "blur" | "focus"; away_ms?: number };' in source
    assert 'export type Source = "web" | "mobile" | "api";' in source
    assert "MAX_PAYLOAD_BYTES = 4096;" in source


def test_what_the_contract_defines_the_client_does_not_define_again() -> None:
    defined = re.findall(r"^export (?:type|interface|const) (\w+)", typescript(), re.M)
    others = [path.read_text() for path in EVENTS_TS.parent.glob("*.ts") if path != EVENTS_TS]
    again = re.compile(rf"^(?:export )?(?:type|interface|const) ({'|'.join(defined)})\b", re.M)

    assert defined
    assert [name for text in others for name in again.findall(text)] == []
