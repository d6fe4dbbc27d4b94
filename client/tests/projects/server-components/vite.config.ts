import rsc from "@vitejs/plugin-rsc";
import { defineConfig } from "vite";

export default defineConfig({
  plugins: [rsc({ entries: { rsc: "entry.rsc.tsx", ssr: "entry.ssr.tsx", client: "entry.browser.tsx" } })],
});
