"""What aiokafka's protocol, which has no types, lacks of Heartbeat: the instance id of a static member."""

from typing import Any

from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Int16, Int32, Schema, String

FENCED_INSTANCE_ID = 82  # an error code that aiokafka has no class for


class StaticHeartbeatResponse(Response):  # type: ignore[misc]
    """Heartbeat, version 3: the first that says when another has taken the instance id (KIP-345)."""

    API_KEY = 12
    API_VERSION = 3
    SCHEMA = Schema(("throttle_time_ms", Int32), ("error_code", Int16))


class StaticHeartbeatRequest_v3(RequestStruct):  # type: ignore[misc]  # noqa: N801 - as aiokafka names them
    API_KEY = 12
    API_VERSION = 3
    RESPONSE_TYPE = StaticHeartbeatResponse
    SCHEMA = Schema(
        ("group", String("utf-8")),
        ("generation_id", Int32),
        ("member_id", String("utf-8")),
        ("group_instance_id", String("utf-8")),
    )


class StaticHeartbeatRequest(Request[StaticHeartbeatRequest_v3]):  # type: ignore[misc]
    """A heartbeat of a member that has an instance id."""

    API_KEY = 12

    def __init__(self, group: str, generation: int, member_id: str, instance_id: str) -> None:
        self._fields: tuple[Any, ...] = (group, generation, member_id, instance_id)

    def build(self, request_struct_class: type[StaticHeartbeatRequest_v3]) -> StaticHeartbeatRequest_v3:
        return request_struct_class(*self._fields)
