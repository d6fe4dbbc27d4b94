import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    globalSetup: "tests/support/packed.ts",
    include: ["tests/**/*.test.{ts,tsx}"],
    unstubGlobals: true,
    restoreMocks: true,
  },
});
