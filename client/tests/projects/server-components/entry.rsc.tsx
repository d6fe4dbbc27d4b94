import { renderToReadableStream } from "@vitejs/plugin-rsc/rsc";
import Page from "./app/page";

/** What a framework does with a server component: turned into a stream here, into HTML elsewhere. */
export async function render(): Promise<string> {
  const stream = renderToReadableStream(
    <html lang="en">
      <body>
        <Page />
      </body>
    </html>,
  );
  const { html } = await import.meta.viteRsc.loadModule<typeof import("./entry.ssr")>("ssr", "index");
  return html(stream);
}
