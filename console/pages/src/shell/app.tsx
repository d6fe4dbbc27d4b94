import { lazy, type ReactNode, Suspense, useState } from "react";
import { useApi } from "../api/api-context";
import type { Me } from "../api/types";
import { useAnswer } from "../api/use-answer";
import { type Route, useRoute } from "../route";
import { takeToken } from "./entry";
import { Frame } from "./frame";
import { Loading, Unreachable, Welcome } from "./states";

const AccessesPage = lazy(() => import("../views/accesses/page"));
const AttemptPage = lazy(() => import("../views/attempt/page"));
const ExamPage = lazy(() => import("../views/exam/page"));
const OperationsPage = lazy(() => import("../views/operations/page"));
const SessionsPage = lazy(() => import("../views/exam/sessions-page"));
const StartPage = lazy(() => import("../views/start/page"));

export function App() {
  const api = useApi();
  const [token] = useState(() => takeToken(window.location, window.history));
  const me = useAnswer("me", () => (token ? api.enter(token) : api.me()));
  if (me.value) {
    return (
      <Frame me={me.value}>
        <Suspense fallback={<Loading />}>
          <Page me={me.value} />
        </Suspense>
      </Frame>
    );
  }
  if (me.isLoading) return <Loading />;
  return me.failure?.status === 401 ? <Welcome /> : <Unreachable again={me.again} />;
}

function Page({ me }: { me: Me }): ReactNode {
  const route = useRoute();
  return pageOf(route, me);
}

function pageOf(route: Route, me: Me): ReactNode {
  switch (route.view) {
    case "exam":
      return <ExamPage key={route.id} id={route.id} query={route.query} me={me} />;
    case "sessions":
      return <SessionsPage key={route.id} id={route.id} query={route.query} me={me} />;
    case "attempt":
      return <AttemptPage key={route.id} id={route.id} query={route.query} me={me} />;
    case "operations":
      return <OperationsPage part={route.part} query={route.query} me={me} />;
    case "accesses":
      return <AccessesPage me={me} />;
    default:
      return <StartPage me={me} />;
  }
}
