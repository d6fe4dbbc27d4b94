// node pages.mjs BUNDLE: pages of a client that was built to BUNDLE, one for each session of the JSON line that it is
// given on its standard input. At the end of that they stop, and once all that they tracked was accepted, or after
// `patienceMs`, it prints what became of it.
import { once } from "node:events";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";
import { storage } from "./storage.mjs";

const { createTelemetryClient, fetchTransport } = await import(pathToFileURL(process.argv[2]));

function open({ session, question, token }, { endpoint, everyMs }) {
  const page = { session, tracked: 0, accepted: 0, failed: 0, refused: [], dropped: 0 };
  const seen = new Set();
  const client = createTelemetryClient(session, "web", {
    endpoint,
    token: () => token,
    storage: storage(),
    onDrop: (_, count) => {
      page.dropped += count;
    },
    transport: async (request) => {
      const result = await fetchTransport(request);
      if (result.kind === "accepted") for (const { seq } of JSON.parse(request.body).events) seen.add(seq);
      if (result.kind === "accepted" && result.rejected) page.refused.push(result.reasons);
      if (result.kind === "refused") page.refused.push(result);
      if (result.kind === "retry") page.failed++;
      page.accepted = seen.size;
      return result;
    },
  });
  const track = () => client.track("ANSWER_SELECTED", { choice: ++page.tracked % 4 }, question);
  const timer = setInterval(track, everyMs);
  return { page, client, stop: () => clearInterval(timer) };
}

async function settle({ page, client }, until) {
  while (page.accepted < page.tracked && Date.now() < until) {
    await client.flush();
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  await client.close();
}

// A client keeps no process from ending while it pauses before another try; an open page does.
const isOpen = setInterval(() => {}, 1000);
const lines = createInterface({ input: process.stdin });
const [line] = await once(lines, "line");
const given = JSON.parse(line);
const pages = given.sessions.map((session) => open(session, given));
await once(lines, "close");
for (const { stop } of pages) stop();
await Promise.all(pages.map((page) => settle(page, Date.now() + given.patienceMs)));
console.log(JSON.stringify(pages.map(({ page }) => page)));
clearInterval(isOpen);
