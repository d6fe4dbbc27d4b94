import type { Page } from "../route";
import { useSession } from "../session-loader";
import { Notice } from "./notice";
import { Room } from "./room";

export function SessionPage({ id, page }: { id: string; page: Page }) {
  const { load, refresh } = useSession(id);
  switch (load.kind) {
    case "ready":
      return <Room loaded={load} page={page} refresh={refresh} />;
    case "loading":
      return <Notice title="Loading your exam…" />;
    case "trouble":
      return (
        <Notice title="No connection">We keep trying to reach your exam. Nothing that you answered is lost.</Notice>
      );
    case "signed_out":
      return <Notice title="Please sign in">Your sign-in has ended, or this is another browser.</Notice>;
    case "missing":
      return <Notice title="No such exam">There is no exam of yours at this address.</Notice>;
  }
}
