"""The gateway that one writes first: a pydantic body, PyJWT per request, one `producer.send` per event, all awaited."""

import asyncio
import os
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Annotated, Any

import jwt
from aiokafka import AIOKafkaProducer
from fastapi import FastAPI, Header, Request
from pydantic import AwareDatetime, BaseModel, Field

from attemptlog.schemas import EventType, Source


class PlainEvent(BaseModel):
    event_type: EventType
    session_id: uuid.UUID
    client_ts: AwareDatetime | None = None
    seq: int | None = None
    question_id: uuid.UUID | None = None
    payload: dict[str, Any] = {}


class PlainRequest(BaseModel):
    source: Source | None = None
    stream_id: uuid.UUID | None = None
    sent_at: AwareDatetime | None = None
    events: Annotated[list[PlainEvent], Field(min_length=1, max_length=50)]


class PlainEnvelope(PlainEvent):
    """What goes into Kafka."""

    id: uuid.UUID
    user_id: uuid.UUID
    event_ts: datetime
    source: Source | None
    stream_id: uuid.UUID | None
    sent_at: datetime | None


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Hold one producer for the life of the process."""
    producer = AIOKafkaProducer(
        bootstrap_servers=os.environ["ATTEMPTLOG_KAFKA_BOOTSTRAP_SERVERS"],
        acks="all",
        enable_idempotence=True,
        linger_ms=5,
        max_batch_size=512 * 1024,
    )
    async with producer:
        app.state.producer = producer
        yield


app = FastAPI(lifespan=lifespan)


@app.get("/readyz")
async def readyz() -> None:
    """Answer once the producer is connected."""


@app.post("/v1/telemetry/events", status_code=202)
async def ingest(request: Request, batch: PlainRequest, authorization: Annotated[str, Header()]) -> dict[str, int]:
    """Take a batch."""
    secret = os.environ["ATTEMPTLOG_JWT_SECRET"]
    user = jwt.decode(authorization.removeprefix("Bearer "), secret, algorithms=["HS256"])["sub"]
    topic, now = os.environ["ATTEMPTLOG_TOPIC"], datetime.now(UTC)
    envelopes = [
        PlainEnvelope(
            **event.model_dump(),
            id=uuid.uuid4(),
            user_id=user,
            event_ts=now,
            source=batch.source,
            stream_id=batch.stream_id,
            sent_at=batch.sent_at,
        )
        for event in batch.events
    ]
    sends = [
        request.app.state.producer.send(topic, it.model_dump_json().encode(), str(it.session_id).encode())
        for it in envelopes
    ]
    await asyncio.gather(*await asyncio.gather(*sends))
    return {"accepted": len(envelopes), "rejected": 0}
