// Publishes one event of a session straight into Kafka, as a session service that is not written in Python does:
//   node publish.mjs SESSION_ID USER_ID

import { randomBytes } from "node:crypto";
import { Kafka, logLevel, Partitioners } from "kafkajs";

const { ATTEMPTLOG_KAFKA_BOOTSTRAP_SERVERS = "127.0.0.1:9092", ATTEMPTLOG_TOPIC = "attempt-events.v1" } = process.env;
const [sessionId, userId] = process.argv.slice(2);
if (!userId) {
  console.error("Usage: node publish.mjs SESSION_ID USER_ID");
  process.exit(2);
}

/** A UUIDv7 (RFC 9562): 48 bits of milliseconds, then chance. */
function uuid7() {
  const bytes = randomBytes(16);
  bytes.writeUIntBE(Date.now(), 0, 6);
  bytes[6] = (bytes[6] & 0x0f) | 0x70; // version 7
  bytes[8] = (bytes[8] & 0x3f) | 0x80; // the RFC's variant
  return bytes.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

const event = {
  id: uuid7(), // given once: whoever sends the event again sends this object again
  event_type: "SESSION_SUBMITTED",
  event_ts: new Date().toISOString(),
  session_id: sessionId.toLowerCase(),
  user_id: userId.toLowerCase(),
  source: "api",
  payload_json: { answered: 8 },
};

const kafka = new Kafka({
  clientId: "session-service",
  brokers: ATTEMPTLOG_KAFKA_BOOTSTRAP_SERVERS.split(","),
  logLevel: logLevel.ERROR,
});
const producer = kafka.producer({
  idempotent: true,
  maxInFlightRequests: 1,
  createPartitioner: Partitioners.DefaultPartitioner, // murmur2, as in Java
});

await producer.connect();
try {
  const messages = [{ key: event.session_id, value: JSON.stringify(event) }];
  const [{ partition, baseOffset }] = await producer.send({ topic: ATTEMPTLOG_TOPIC, acks: -1, messages });
  console.log(JSON.stringify({ id: event.id, partition, offset: Number(baseOffset) }));
} finally {
  await producer.disconnect();
}
