"""What we add to aiokafka's protocol: as Kafka specifies it, and only for as long as aiokafka lacks it."""

from io import BytesIO
from uuid import UUID

from aiokafka.errors import for_code
from aiokafka.protocol.group import HeartbeatRequest
from aiokafka.protocol.metadata import MetadataRequest

from attemptlog.consumer.heartbeat import FENCED_INSTANCE_ID, StaticHeartbeatRequest
from attemptlog.runtime.topic_metadata import TopicMetadataRequest

TOPIC_ID = UUID("01890a5d-ac96-774b-bcce-b302099a8057")

# throttle time; one broker: node, host, port, no rack; cluster; controller; one topic: no error, name, id, external,
# one partition: no error, number, leader, epoch, replicas, in-sync ones, none offline; no operations asked for
ANSWER = (
    b"\x00\x00\x00\x00"
    + (b"\x02" + b"\x00\x00\x00\x01" + b"\x02h" + b"\x00\x00\x23\x84" + b"\x00" + b"\x00")
    + b"\x04abc"
    + b"\x00\x00\x00\x01"
    + (b"\x02" + b"\x00\x00" + b"\x02t" + TOPIC_ID.bytes + b"\x00")
    + (b"\x02" + b"\x00\x00" + b"\x00\x00\x00\x05" + b"\x00\x00\x00\x01" + b"\x00\x00\x00\x07")
    + (b"\x02\x00\x00\x00\x01" + b"\x02\x00\x00\x00\x01" + b"\x01" + b"\x00")
    + (b"\x80\x00\x00\x00" + b"\x00")
    + (b"\x80\x00\x00\x00" + b"\x00")
)


def test_a_topic_is_asked_for_by_name_and_not_created() -> None:
    request = TopicMetadataRequest("t").prepare({3: (0, 13)})
    assert (request.API_VERSION, request.FLEXIBLE_VERSION) == (10, True)
    assert request.encode() == b"\x02" + bytes(16) + b"\x02t" + b"\x00" + b"\x00\x00\x00" + b"\x00"


def test_the_answer_has_the_topics_id_and_the_leaders_epoch() -> None:
    request = TopicMetadataRequest("t").prepare({3: (0, 13)})
    answer = request.RESPONSE_TYPE.decode(BytesIO(ANSWER)).to_object()
    [topic] = answer["topics"]
    [partition] = topic["partitions"]
    assert (answer["cluster_id"], topic["name"], topic["topic_id"], topic["error_code"]) == ("abc", "t", TOPIC_ID, 0)
    assert (partition["partition"], partition["leader"], partition["leader_epoch"]) == (5, 1, 7)


def test_a_heartbeat_names_the_instance() -> None:
    request = StaticHeartbeatRequest("g", 3, "m", "i").prepare({12: (0, 4)})
    assert request.API_VERSION == 3
    assert request.encode() == b"\x00\x01g" + b"\x00\x00\x00\x03" + b"\x00\x01m" + b"\x00\x01i"
    assert request.RESPONSE_TYPE.decode(BytesIO(b"\x00\x00\x00\x00\x00\x52")).error_code == FENCED_INSTANCE_ID


def test_aiokafka_still_lacks_what_is_added() -> None:
    """When this fails, aiokafka has caught up: use its own, and delete ours."""
    assert max(each.API_VERSION for each in MetadataRequest._CLASSES) < TopicMetadataRequest._CLASSES[0].API_VERSION
    assert max(each.API_VERSION for each in HeartbeatRequest._CLASSES) < StaticHeartbeatRequest._CLASSES[0].API_VERSION
    assert for_code(FENCED_INSTANCE_ID).__name__ == "UnknownError"
