import gzip
from pathlib import Path

import pytest

from attemptlog.runtime.errors import OperatorError
from attemptlog.simulation.recorded import COLUMNS, RecordedLog

HEADER = ",".join(COLUMNS)
GOOD = [
    's1,u1,1,SESSION_CREATED,,0,web,"{""items"":7}",inferred',
    's1,u1,2,QUESTION_VIEWED,q1,250,web,"{""pos"":1}",observed',
    's2,u2,1,SESSION_CREATED,,-5,mobile,"{}",inferred',
]


def write(folder: Path, *lines: str, header: str = HEADER) -> Path:
    path = folder / "log.csv"
    path.write_text("\n".join([header, *lines, ""]))
    return path


def test_a_file_becomes_a_roster_and_sittings(tmp_path: Path) -> None:
    log = RecordedLog(write(tmp_path, *GOOD), "seed")
    roster = log.roster()
    first, second = log.sittings()

    assert roster.sessions == {first.session_id: first.user_id, second.session_id: second.user_id}
    assert roster.question_ids == {first.events[1].question_id}
    assert [(event.seq, event.offset_ms, event.payload) for event in first.events] == [
        (1, 0, b'{"items":7}'),
        (2, 250, b'{"pos":1}'),
    ]
    assert (first.source, second.source) == ("web", "mobile")


def test_gzip_is_read_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "log.csv.gz"
    path.write_bytes(gzip.compress(write(tmp_path, *GOOD).read_bytes()))

    assert len(RecordedLog(path, "seed").roster().sessions) == 2


def test_the_same_file_is_the_same_events_and_another_seed_other_ids(tmp_path: Path) -> None:
    path = write(tmp_path, *GOOD)

    assert list(RecordedLog(path, "a").sittings()) == list(RecordedLog(path, "a").sittings())
    assert RecordedLog(path, "a").roster().sessions.keys().isdisjoint(RecordedLog(path, "b").roster().sessions)


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("s1,u1,x,SESSION_CREATED,,0,web,{},inferred", "seq"),
        ("s1,u1,-1,SESSION_CREATED,,0,web,{},inferred", "seq"),
        ("s1,u1,1,SESSION_BORN,,0,web,{},inferred", "event_type"),
        ("s1,u1,1,SESSION_CREATED,,soon,web,{},inferred", "client_offset_ms"),
        ("s1,u1,1,SESSION_CREATED,,0,fax,{},inferred", "source"),
        ("s1,u1,1,SESSION_CREATED,,0,web,[],inferred", "payload"),
        ("s1,u1,1,SESSION_CREATED,,0,web,{,inferred", "payload"),
        (",u1,1,SESSION_CREATED,,0,web,{},inferred", "session_id"),
        ("s1,u1,1,SESSION_CREATED", "4 columns instead of 9"),
        ("s1,u9,3,SESSION_SUBMITTED,,0,web,{},inferred", "another user"),
    ],
)
def test_a_bad_row_is_named_by_its_line(tmp_path: Path, row: str, problem: str) -> None:
    path = write(tmp_path, *GOOD, row)

    with pytest.raises(OperatorError, match=rf"log\.csv, line 5: .*{problem}"):
        RecordedLog(path, "seed").roster()


@pytest.mark.parametrize("header", ["", "session_id,user_id", HEADER.upper()])
def test_another_header_is_refused(tmp_path: Path, header: str) -> None:
    with pytest.raises(OperatorError, match="line 1: the header must be session_id,"):
        RecordedLog(write(tmp_path, *GOOD, header=header), "seed").roster()


def test_a_file_without_rows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="holds no events"):
        RecordedLog(write(tmp_path), "seed").roster()


def test_a_gzip_file_that_was_cut_short_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "log.csv.gz"
    path.write_bytes(gzip.compress(write(tmp_path, *GOOD).read_bytes())[:-12])

    with pytest.raises(OperatorError, match="not a whole gzip file"):
        RecordedLog(path, "seed").roster()


def test_bytes_that_are_not_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_bytes(HEADER.encode() + b"\n\xff\xfe")

    with pytest.raises(OperatorError, match="not UTF-8"):
        RecordedLog(path, "seed").roster()
