import { defineConfig } from "vitest/config";

// One browser at a time: it shares two cores with the server.
export default defineConfig({
  test: { include: ["tests/pages/**/*.test.ts"], fileParallelism: false, testTimeout: 60_000, hookTimeout: 60_000 },
});
