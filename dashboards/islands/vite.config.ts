import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type Plugin, defineConfig } from "vite";

const built = join(import.meta.dirname ?? ".", "dist");

/** The folder stays, so that cargo can watch it: only what was built goes. */
function emptied(): Plugin {
  return {
    name: "emptied",
    apply: "build",
    buildStart() {
      for (const name of readdirSync(built)) {
        if (name !== ".gitignore") rmSync(join(built, name), { recursive: true });
      }
    },
  };
}

// The server's templates find the hashed names in dist/manifest.json: by `src/dashboards.ts` and `src/sql.ts`.
export default defineConfig({
  base: "/dashboards/assets/",
  plugins: [emptied()],
  build: {
    target: "es2022",
    emptyOutDir: false,
    assetsDir: "",
    assetsInlineLimit: 0,
    manifest: "manifest.json",
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 1_000,
    rollupOptions: { input: ["src/dashboards.ts", "src/sql.ts"] },
  },
});
