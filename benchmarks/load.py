"""The load: a class's sessions, its events as requests, and as few cycles as can be had to send them."""

import asyncio
import itertools
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import jwt
import orjson
import psycopg
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from local_stack import LocalStack
from migrations import upgrade
from schemas import ATTEMPT_EVENTS, EVENT_TYPES, Envelope, new_event_id

SECRET = "a secret of the benchmark, 32 bytes or more"  # noqa: S105
PATH = "/v1/telemetry/events"
CONNECTIONS = 64
SESSIONS = 2_000
QUESTIONS = 40
PAYLOAD = {"from_pos": 3, "to_pos": 4, "dwell_ms": 18_250}


@dataclass(frozen=True, slots=True)
class School:
    """The rows that the events refer to."""

    questions: list[str]
    sessions: list[tuple[str, str]]

    @staticmethod
    def make() -> "School":
        """Return ids that nobody has used."""
        questions = [str(uuid.uuid4()) for _ in range(QUESTIONS)]
        return School(questions, [(str(uuid.uuid4()), str(uuid.uuid4())) for _ in range(SESSIONS)])

    def insert(self, database_url: str) -> None:
        """Store the exam, its questions, the users and their sessions."""
        exam = uuid.uuid4()
        with psycopg.connect(database_url) as connection, connection.cursor() as cursor:
            cursor.execute("INSERT INTO exams (id) VALUES (%s)", [exam])
            cursor.executemany("INSERT INTO questions (id) VALUES (%s)", [[q] for q in self.questions])
            cursor.executemany(
                "INSERT INTO exam_questions (exam_id, question_id) VALUES (%s, %s)", [(exam, q) for q in self.questions]
            )
            cursor.executemany("INSERT INTO users (id) VALUES (%s)", [[user] for _, user in self.sessions])
            cursor.executemany(
                "INSERT INTO test_sessions (id, user_id, exam_id) VALUES (%s, %s, %s)",
                [(session, user, exam) for session, user in self.sessions],
            )

    def envelopes(self, count: int) -> Iterator[Envelope]:
        """Yield events of interleaved sessions, seq without gaps."""
        payload = orjson.dumps(PAYLOAD)
        for number, (session, user) in zip(range(count), itertools.cycle(self.sessions), strict=False):
            seq = number // len(self.sessions)
            yield Envelope(
                id=new_event_id(),
                event_type=EVENT_TYPES[seq % len(EVENT_TYPES)],
                event_ts=datetime.now(UTC),
                client_ts=datetime.now(UTC),
                seq=seq,
                session_id=session,
                user_id=user,
                question_id=self.questions[seq % QUESTIONS],
                source="web",
                payload_json=payload,
            )

    def requests(self, events: int, per_request: int) -> list[bytes]:
        """Return whole HTTP requests of one session each."""
        rounds = events // per_request // len(self.sessions) + 1
        batches = ((s, u, r) for r in range(rounds) for s, u in self.sessions)
        return [
            self._request(session, user, r * per_request, per_request)
            for session, user, r in itertools.islice(batches, events // per_request)
        ]

    def _request(self, session: str, user: str, first_seq: int, count: int) -> bytes:
        events = [
            {
                "event_type": EVENT_TYPES[seq % len(EVENT_TYPES)],
                "session_id": session,
                "question_id": self.questions[seq % QUESTIONS],
                "seq": seq,
                "client_ts": "2026-03-02T09:14:05.123Z",
                "payload": PAYLOAD,
            }
            for seq in range(first_seq, first_seq + count)
        ]
        body = orjson.dumps({"source": "web", "events": events})
        token = jwt.encode({"sub": user, "exp": int(time.time()) + 3600}, SECRET, algorithm="HS256")
        head = f"POST {PATH} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\n"
        return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body


async def send(port: int, requests: list[bytes]) -> None:
    """Send every request once over CONNECTIONS connections; raise AssertionError unless each is answered 202."""
    queue = iter(requests)
    await asyncio.gather(*(_send(port, queue) for _ in range(CONNECTIONS)))


async def _send(port: int, queue: Iterator[bytes]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for request in queue:
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 202 "), head
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        await reader.readexactly(length)
    writer.close()


def prepare(stack: LocalStack, topics: list[str]) -> str:
    """Make a migrated database and topics on a running stack; return the database's URL."""
    with psycopg.connect(stack.postgres.url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE bench")
    upgrade(stack.postgres.database_url("bench"))
    asyncio.run(_create(stack.kafka.bootstrap_servers, topics))
    return stack.postgres.database_url("bench")


async def _create(bootstrap_servers: str, topics: list[str]) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(name, ATTEMPT_EVENTS.partitions, 1) for name in topics])
    finally:
        await admin.close()
