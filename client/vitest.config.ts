import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    globalSetup: "tests/support/packed.ts",
    include: ["tests/**/*.test.{ts,tsx}"],
    testTimeout: 60_000, // of real time, for what hangs; the tests' own time is faked
    unstubGlobals: true,
    restoreMocks: true,
  },
});
