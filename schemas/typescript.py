"""The contract for pages: event types, payloads and limits as a TypeScript module, made from the models."""

from typing import Annotated, Any, Literal, NotRequired, get_args, get_origin, get_type_hints

from attemptlog.schemas.events import PAGE_DROP_REASONS, SOURCES
from attemptlog.schemas.fields import MAX_PAYLOAD_BYTES, MAX_SEQ
from attemptlog.schemas.ingest import MAX_EVENTS_PER_BATCH
from attemptlog.schemas.payloads import PAYLOAD_SHAPES

_WORDS = {int: "number", bool: "boolean"}


def typescript() -> str:
    """Return the source of `client/src/events.ts`."""
    return f"""\
// Printed by `attemptlog schema typescript` from the contract in schemas/. Change it there.

/** What to send with each type of event: positions and indexes, never the text of a question or of an answer. */
export interface Payloads {{
{"".join(map(_member, PAYLOAD_SHAPES))}}}

export type EventType = keyof Payloads;

export type Source = {_union(SOURCES)};

/**
 * Why events will not be stored: `invalid` (no such event, or no JSON object), `too_large`, `queue_full` (the oldest
 * were dropped), `rejected` (by the gateway), `expired` (left by another session, long ago), `closed` (tracked after
 * close). The gateway is told beside the batches.
 */
export type DropReason = {_union(PAGE_DROP_REASONS)};

/** The gateway refuses a batch of more. */
export const MAX_EVENTS_PER_BATCH = {MAX_EVENTS_PER_BATCH};

/** Of one payload, as compact UTF-8 JSON. */
export const MAX_PAYLOAD_BYTES = {MAX_PAYLOAD_BYTES};

export const MAX_SEQ = {MAX_SEQ};
"""


def _member(event_type: str) -> str:
    shape = PAYLOAD_SHAPES[event_type]  # type: ignore[index]  # the keys are the event types
    return f"  /** {shape.__doc__} */\n  {event_type}: {_object(shape)};\n"


def _object(shape: type) -> str:
    fields = get_type_hints(shape, include_extras=True).items()
    return f"{{ {'; '.join(_field(name, hint) for name, hint in fields)} }}"


def _field(name: str, hint: Any) -> str:
    if get_origin(hint) is NotRequired:
        return f"{name}?: {_type(get_args(hint)[0])}"
    return f"{name}: {_type(hint)}"


def _type(hint: Any) -> str:
    if get_origin(hint) is Annotated:
        return _type(get_args(hint)[0])
    if get_origin(hint) is Literal:
        return _union(get_args(hint))
    return _WORDS[hint]


def _union(texts: tuple[str, ...]) -> str:
    return " | ".join(f'"{text}"' for text in texts)
