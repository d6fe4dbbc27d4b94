/** What the figures of the pipeline mean, in sentences. */

import type { Operations, Reached } from "../../api/types";
import { count } from "../../words";

export interface Standing {
  state: "on time" | "late" | "not known";
  text: string;
}

const LATE_S = 10; // what a consumer that keeps up never reaches: it stores after a second at the latest

/** Whether lag and lateness are of now: they take both to be known. */
export function isCurrent({ kafka, database }: Operations): boolean {
  return kafka.is_reached && database.is_reached;
}

/** How late stored events are, and what that means. */
export function standing(looked: Operations): Standing {
  if (!looked.database.is_reached) return { state: "not known", text: away(looked.database, DATABASE_AWAY) };
  if (!looked.kafka.is_reached) return { state: "not known", text: away(looked.kafka, KAFKA_AWAY) };
  const waiting = looked.partitions.reduce((sum, each) => sum + (each.lag ?? 0), 0);
  if (waiting === 0) return { state: "on time", text: "All that has come is stored." };
  const behind = `${events(waiting)} ${waiting === 1 ? "waits" : "wait"} in Kafka${oldest(looked)}.`;
  const left = looked.partitions.filter((each) => each.lag && !each.consumer);
  if (left.length && looked.partitions.every((each) => !each.consumer)) {
    return { state: "late", text: `No consumer is running. ${behind} Nothing is lost: they are stored once one runs.` };
  }
  if (left.length) return { state: "late", text: `${partitions(left.length)} no consumer. ${behind}` };
  if ((looked.stored_late_by_s ?? 0) < LATE_S) return { state: "on time", text: `${behind} That is usual.` };
  return {
    state: "late",
    text: `The consumer is behind. ${behind} Nothing is lost: they are stored as it catches up.`,
  };
}

/** What was never reached may just not have answered yet: the first look begins when somebody looks. */
function away({ as_of, detail }: Reached, text: string): string {
  return as_of === null ? `Not reached yet, so nobody can say what is stored and what waits. ${detail ?? ""}` : text;
}

const DATABASE_AWAY =
  "PostgreSQL cannot be reached from here, so nobody can say what is stored. Events that were accepted wait in Kafka " +
  "and are stored once it is back; this holds as long as Kafka keeps them.";
const KAFKA_AWAY =
  "Kafka cannot be reached from here, so nobody can say what waits to be stored. Where the gateways cannot reach it " +
  "either, they accept nothing, and pages keep their events and send them again.";

function oldest({ stored_late_by_s: late }: Operations): string {
  return late === null ? "" : `, the oldest for ${span(late)}`;
}

function events(number: number): string {
  return number === 1 ? "1 event" : `${count(number)} events`;
}

function partitions(number: number): string {
  return number === 1 ? "1 partition has" : `${number} partitions have`;
}

/** Seconds in words: "3 min 20 s"; whole ones, for they change while they are read. */
export function span(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  if (whole < 86_400) return `${Math.floor(whole / 3600)} h ${Math.floor(whole / 60) % 60} min`;
  return `${Math.floor(whole / 86_400)} d ${Math.floor(whole / 3600) % 24} h`;
}

/** "2026-03-02 10:15:04 UTC", or "never". */
export function moment(iso: string | null): string {
  return iso === null ? "never" : `${iso.slice(0, 10)} ${iso.slice(11, 19)} UTC`;
}

export function rate(perSecond: number | null): string {
  if (perSecond === null) return "not known";
  return perSecond < 10 ? String(Math.round(perSecond * 10) / 10) : count(Math.round(perSecond));
}

/** The code of a refusal or a reason, as words. */
export function spoken(code: string): string {
  return code.replaceAll("_", " ");
}

/** Where an event comes from. */
export function reporter(source: string | null): string {
  if (source === "web") return "page";
  return source === "api" ? "service" : (source ?? "not said");
}
