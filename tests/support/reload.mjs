// node reload.mjs BEFORE AFTER: a page of one client cannot send, is closed, and comes back with another client's bundle
// in the same browser. Prints what the second one sends.
import { pathToFileURL } from "node:url";
import { storage } from "./storage.mjs";

const [before, after] = await Promise.all(process.argv.slice(2).map((path) => import(pathToFileURL(path))));
const SESSION = "01890a5d-ac96-774b-bcce-b302099a8057";
const browser = storage();
const sent = [];
const away = async () => ({ kind: "refused", status: 401 });
const there = async ({ body }) => {
  const batch = JSON.parse(body);
  sent.push(batch);
  return { kind: "accepted", accepted: batch.events.length, rejected: 0 };
};

// A client keeps no process from ending while it pauses before another try; a browser does.
const isOpen = setInterval(() => {}, 1000);
const first = before.createTelemetryClient(SESSION, "web", { storage: browser, transport: away });
for (const choice of [1, 2, 3]) first.track("ANSWER_SELECTED", { choice });
await first.close();
const second = after.createTelemetryClient(SESSION, "web", { storage: browser, transport: there });
second.track("ANSWER_SELECTED", { choice: 4 });
await second.flush();
await second.close();
console.log(JSON.stringify(sent));
clearInterval(isOpen);
