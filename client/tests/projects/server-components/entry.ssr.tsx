import { createFromReadableStream } from "@vitejs/plugin-rsc/ssr";
import type { ReactNode } from "react";
import { renderToReadableStream } from "react-dom/server.edge";

export async function html(stream: ReadableStream<Uint8Array>): Promise<string> {
  const page = await createFromReadableStream<ReactNode>(stream);
  return new Response(await renderToReadableStream(page)).text();
}
