// The page for questions in SQL: what there is, the editor, and the answer.

import "./style/main.css";
import "./style/sql.css";
import { whoIsHere } from "./api";
import { all, el, one, say } from "./dom";
import { closable } from "./menus";
import { Editor } from "./sql/editor";
import { History } from "./sql/history";
import { Results } from "./sql/results";
import { placeOf, run } from "./sql/run";
import { Questions } from "./sql/saved";
import { type Schema, schemaTree } from "./sql/schema";
import type { Charted } from "./sql/chart";
import { onTheme, startTheme } from "./theme";

const FIRST = "select status, count(*) as orders, sum(quantity) as tickets\nfrom orders\ngroup by status\norder by orders desc";

async function start(host: HTMLElement): Promise<void> {
  const organizer = document.body.dataset.organizer ?? "";
  const schema = JSON.parse(one("#schema")?.textContent ?? '{"schemas":[]}') as Schema;
  const { email, name } = await whoIsHere();
  const history = new History(`${email ?? name ?? ""} ${organizer}`);
  let [asking, charted]: [AbortController | null, Charted | null] = [null, null];

  const note = el("span", { class: "muted", role: "status" });
  const trouble = el("p", { class: "trouble", role: "alert", hidden: true });
  const go = el("button", { type: "button", onclick: () => void answer() }, "Run");
  const cancel = el("button", { type: "button", class: "plain", hidden: true, onclick: () => asking?.abort() }, "Cancel");
  const keep = el("button", { type: "button", class: "plain", hidden: true }, "Save…");
  const keys = el("span", { class: "muted keys" }, el("kbd", {}, navigator.platform.startsWith("Mac") ? "⌘" : "Ctrl"), " ", el("kbd", {}, "Enter"));
  const place = el("div", { class: "editor" });
  const out = el("section", { class: "answer", "aria-label": "Answer" });
  const past = el("div", { class: "list" });
  const kept = el("div", { class: "list" });

  const wrong = (error: unknown) => {
    trouble.textContent = error instanceof Error ? error.message : String(error);
    trouble.hidden = false;
    const at = placeOf(error);
    if (at) editor.wrong(at, trouble.textContent);
  };
  const results = new Results(out, organizer, wrong);
  const editor = new Editor(place, history.draft ?? FIRST, schema, { run: () => void answer(), change: (text) => (history.draft = text) });
  const questions = new Questions(kept, organizer, (saved) => {
    editor.text = saved.sql;
    charted = saved.chart;
    void answer();
  });

  async function answer(): Promise<void> {
    const sql = editor.text.trim();
    if (!sql) return editor.focus();
    asking?.abort();
    const own = (asking = new AbortController());
    [trouble.hidden, cancel.hidden, go.disabled] = [true, false, true];
    say(note, "Asking…");
    editor.good();
    try {
      const found = await run(sql, organizer, own.signal);
      results.show(sql, found, charted);
      history.add({ sql, at: Date.now(), rows: found.rows.length, took: found.took });
      say(note, `${found.rows.length.toLocaleString()} ${found.rows.length === 1 ? "row" : "rows"} in ${Math.round(found.took).toLocaleString()} ms, as of change ${found.position.toLocaleString()}`);
    } catch (error) {
      if (own.signal.aborted) say(note, "Cancelled.");
      else {
        say(note, "");
        results.clear();
        wrong(error);
        history.add({ sql, at: Date.now(), rows: null, took: 0 });
      }
    } finally {
      charted = null;
      if (asking === own) [cancel.hidden, go.disabled, asking] = [true, false, null];
      drawPast();
    }
  }

  function drawPast(): void {
    const rows = history.items.map(({ sql, at, rows: count }) =>
      el("li", {}, el("button", { type: "button", class: "name", onclick: () => ((editor.text = sql), editor.focus()) }, el("code", {}, sql.replace(/\s+/g, " ").slice(0, 90)),
        el("span", { class: "muted" }, `${new Date(at).toLocaleString(undefined, { dateStyle: "short", timeStyle: "short" })}, ${count === null ? "failed" : `${count.toLocaleString()} rows`}`))),
    );
    const clear = el("button", { type: "button", class: "plain", onclick: () => (history.clear(), drawPast()) }, "Forget them");
    past.replaceChildren(rows.length > 0 ? el("ul", { class: "asked-list" }, ...rows) : el("p", { class: "nothing" }, "What you run is listed here, on this device."), ...(rows.length > 0 ? [clear] : []));
  }

  keep.addEventListener("click", () => void questions.save({ sql: editor.text, chart: results.charted }));
  const fold = (title: string, body: HTMLElement, open: boolean) => el("details", { class: "fold", open }, el("summary", {}, title), body);
  const savedFold = fold("Saved questions", kept, true);
  savedFold.hidden = true;
  const side = el("aside", { class: "side", "aria-label": "What there is to ask" }, savedFold, fold("Tables", schemaTree(schema, (each) => editor.insert(each)), innerWidth > 900), fold("History", past, false));
  host.replaceChildren(side, el("div", { class: "work" }, el("section", { class: "panel full", "aria-label": "Question" }, place, el("div", { class: "run" }, go, cancel, keep, keys, note), trouble), out));
  onTheme(() => results.repaint());
  drawPast();
  if (await questions.draw()) savedFold.hidden = keep.hidden = false;
}

startTheme();
for (const menu of all<HTMLDetailsElement>("body > header details.menu")) closable(menu);
const host = one("#sql");
if (host) void start(host);
