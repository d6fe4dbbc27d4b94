import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

const CONSOLE = "http://127.0.0.1:8003"; // where `make run` serves the console

export default defineConfig({
  plugins: [react()],
  server: { host: "127.0.0.1", proxy: { "/api": CONSOLE } },
  build: { assetsInlineLimit: 0 }, // the console's Content-Security-Policy allows no data: addresses
  test: { environment: "happy-dom", testTimeout: 60_000 },
});
