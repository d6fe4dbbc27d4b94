import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

const PLATFORM = "http://127.0.0.1:8080"; // where `make run` serves the platform

export default defineConfig({
  plugins: [react()],
  server: { host: "127.0.0.1", proxy: { "/v1": PLATFORM } },
  build: { assetsInlineLimit: 0 }, // the platform's Content-Security-Policy allows no data: addresses
  test: { environment: "happy-dom", testTimeout: 60_000 },
});
