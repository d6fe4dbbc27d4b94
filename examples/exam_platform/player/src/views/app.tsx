import { useRoute } from "../route";
import { SessionPage } from "./session-page";
import { StartPage } from "./start-page";

export function App() {
  const route = useRoute();
  if (route.view === "start") return <StartPage />;
  return <SessionPage key={route.id} id={route.id} page={route.page} />;
}
