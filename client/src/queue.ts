import type { Source } from "./events.js";

/** What a batch says beside its events. */
export interface Head {
  source?: Source;
  /** None for events that a client numbered before there were streams. */
  stream_id?: string | undefined;
  /** Reasons, and how many events of the stream will not come, since it began. */
  dropped?: Record<string, number>;
}

export interface Waiting {
  key: string;
  /** As it is sent, JSON. */
  text: string;
  /** How many batches of its queue had been accepted when one with it was refused. */
  refusedAt?: number;
  /** That one had no other event. */
  isSuspect?: boolean;
  /** In a request that may outlive the page. */
  isDeparting?: boolean;
}

/** The events of one stream that are not acknowledged yet, oldest first. */
export interface Queue {
  /** When the last event was tracked, of a queue that another page left. */
  leftAt?: string;
  head: Head;
  events: Waiting[];
  /** How many of its batches were accepted. */
  accepted: number;
}
