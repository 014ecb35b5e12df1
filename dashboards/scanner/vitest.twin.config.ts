import { defineConfig } from "vitest/config";

// The unit tests, and those that need the domain's verdicts.
export default defineConfig({
  test: { include: ["tests/{unit,twin}/**/*.test.ts"], setupFiles: ["tests/unit/setup.ts"] },
});
