import { createHash } from "node:crypto";
import { readFileSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type Plugin, defineConfig } from "vite";

const built = join(import.meta.dirname ?? ".", "dist");
const fixed = join(import.meta.dirname ?? ".", "public");

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

/** Tells the service worker what the page consists of; another list is another version of it. */
function shell(): Plugin {
  return {
    name: "shell",
    apply: "build",
    enforce: "post",
    generateBundle(_, bundle) {
      const worker = bundle["sw.js"];
      if (worker?.type !== "chunk") throw new Error("the service worker is missing");
      const made = Object.keys(bundle).filter((name) => name !== "sw.js" && name !== "index.html");
      const files = ["/scanner", ...[...made, ...readdirSync(fixed)].sort().map((name) => `/scanner/${name}`)];
      // The names of what is built tell its content; those of fixed files do not.
      const hash = createHash("sha256").update(files.join("\n")).update(readFileSync("index.html"));
      for (const name of readdirSync(fixed)) hash.update(readFileSync(join(fixed, name)));
      const version = hash.digest("hex").slice(0, 12);
      worker.code = worker.code.replace("__FILES__", JSON.stringify(files)).replace("__VERSION__", JSON.stringify(version));
    },
  };
}

export default defineConfig({
  base: "/scanner/",
  plugins: [emptied(), shell()],
  worker: { format: "es" },
  build: {
    target: "es2022",
    emptyOutDir: false,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rollupOptions: {
      input: { index: "index.html", sw: "src/workers/sw.ts" },
      output: { entryFileNames: ({ name }) => (name === "sw" ? "sw.js" : "assets/[name]-[hash].js") },
    },
  },
});
