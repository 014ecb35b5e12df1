import { defineConfig } from "vitest/config";

// The pages beside the scanner: those of buyers and of staff. One browser at a time, as for the scanner.
export default defineConfig({
  test: { include: ["tests/pages/**/*.test.ts"], fileParallelism: false, testTimeout: 60_000, hookTimeout: 60_000 },
});
