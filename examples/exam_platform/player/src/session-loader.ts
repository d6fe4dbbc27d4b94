import { useCallback, useEffect, useState } from "react";
import type { Api, ApiResult, Config, Session } from "./api";
import { useApi } from "./api-context";
import { deadlineOf } from "./countdown";
import { untilAnswered } from "./retry";

export interface LoadedSession {
  kind: "ready";
  session: Session;
  telemetryUrl: string;
  deadline: number; // by this machine's clock, in milliseconds since the epoch
}

export type SessionLoad = LoadedSession | { kind: "loading" | "trouble" | "signed_out" | "missing" };

/** Loads a session, trying until the service answers. `refresh` asks again and keeps what is shown until the answer. */
export function useSession(id: string): { load: SessionLoad; refresh: () => void } {
  const api = useApi();
  const [load, setLoad] = useState<SessionLoad>({ kind: "loading" });
  const [round, setRound] = useState(0);

  // biome-ignore lint/correctness/useExhaustiveDependencies: a further round is the wish to ask again
  useEffect(() => {
    const stop = new AbortController();
    const onTrouble = () => setLoad((last) => (last.kind === "ready" ? last : { kind: "trouble" }));
    void fetchSession(api, id, stop.signal, onTrouble).then((loaded) => loaded && setLoad(loaded));
    return () => stop.abort();
  }, [api, id, round]);

  const refresh = useCallback(() => setRound((last) => last + 1), []);
  return { load, refresh };
}

async function fetchSession(
  api: Api,
  id: string,
  signal: AbortSignal,
  onTrouble: () => void,
): Promise<SessionLoad | undefined> {
  const config = await untilAnswered(api.config, signal, onTrouble);
  const session = await untilAnswered(() => api.session(id), signal, onTrouble);
  if (!config || !session) return undefined;
  if (!session.ok) return { kind: session.status === 401 ? "signed_out" : "missing" };
  return ready(session.value, config);
}

function ready(session: Session, config: ApiResult<Config>): SessionLoad {
  if (!config.ok) return { kind: "missing" };
  const deadline = deadlineOf(session, Date.now());
  return { kind: "ready", session, deadline, telemetryUrl: config.value.telemetry_url };
}
