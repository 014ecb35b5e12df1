// What there is to ask beside the editor, and below it the answer.

import { whoIsHere } from "../api";
import { el, one, say } from "../dom";
import type { Charted } from "./chart";
import { Editor } from "./editor";
import { History } from "./history";
import { Results } from "./results";
import { placeOf, run } from "./run";
import { Questions } from "./saved";
import { type Schema, schemaTree } from "./schema";

const FIRST = "select status, count(*) as orders, sum(quantity) as tickets\nfrom orders\ngroup by status\norder by orders desc";
/** So many letters of a question are enough to know it again. */
const KNOWN_BY = 90;

const fold = (title: string, body: HTMLElement, open: boolean): HTMLDetailsElement =>
  el("details", { class: "fold", open }, el("summary", {}, title), body);

export class Workbench {
  private readonly note = el("span", { class: "muted", role: "status" });
  private readonly trouble = el("p", { class: "trouble", role: "alert", hidden: true });
  private readonly go = el("button", { type: "button", onclick: () => void this.answer() }, "Run");
  private readonly cancel = el(
    "button",
    { type: "button", class: "plain", hidden: true, onclick: () => this.asking?.abort() },
    "Cancel",
  );
  private readonly keep = el("button", { type: "button", class: "plain", hidden: true, onclick: () => this.save() }, "Save…");
  private readonly past = el("div", { class: "list" });
  private readonly editor: Editor;
  private readonly results: Results;
  private readonly questions: Questions;
  private asking: AbortController | null = null;
  /** How a saved question wants its answer drawn. */
  private charted: Charted | null = null;

  private constructor(
    host: HTMLElement,
    private readonly organizer: string,
    schema: Schema,
    private readonly history: History,
  ) {
    const place = el("div", { class: "editor" });
    const out = el("section", { class: "answer", "aria-label": "Answer" });
    const kept = el("div", { class: "list" });
    this.results = new Results(out, organizer, (error) => this.wrong(error));
    this.editor = new Editor(place, history.draft ?? FIRST, schema, {
      run: () => void this.answer(),
      change: (text) => (history.draft = text),
    });
    this.questions = new Questions(kept, organizer, ({ sql, chart }) => {
      this.editor.text = sql;
      this.charted = chart;
      void this.answer();
    });
    const saved = fold("Saved questions", kept, true);
    saved.hidden = true;
    const tables = fold(
      "Tables",
      schemaTree(schema, (name) => this.editor.insert(name)),
      innerWidth > 900,
    );
    const side = el(
      "aside",
      { class: "side", "aria-label": "What there is to ask" },
      saved,
      tables,
      fold("History", this.past, false),
    );
    const modifier = navigator.platform.startsWith("Mac") ? "⌘" : "Ctrl";
    const keys = el("span", { class: "muted keys" }, el("kbd", {}, modifier), " ", el("kbd", {}, "Enter"));
    const controls = el("div", { class: "run" }, this.go, this.cancel, this.keep, keys, this.note);
    const question = el("section", { class: "panel full", "aria-label": "Question" }, place, controls, this.trouble);
    host.replaceChildren(side, el("div", { class: "work" }, question, out));
    this.drawPast();
    void this.questions.draw().then((are) => (saved.hidden = this.keep.hidden = !are));
  }

  static async open(host: HTMLElement, organizer: string): Promise<Workbench> {
    const schema = JSON.parse(one("#schema")?.textContent ?? '{"schemas":[]}') as Schema;
    const { email, name } = await whoIsHere();
    return new Workbench(host, organizer, schema, new History(`${email ?? name ?? ""} ${organizer}`));
  }

  repaint(): void {
    this.results.repaint();
  }

  private async answer(): Promise<void> {
    const sql = this.editor.text.trim();
    if (!sql) return this.editor.focus();
    this.asking?.abort();
    const own = (this.asking = new AbortController());
    const charted = this.charted;
    this.charted = null;
    this.busy(true);
    say(this.note, "Asking…");
    this.editor.good();
    // An answer, and its files, never stand below another question.
    this.results.clear();
    try {
      const found = await run(sql, this.organizer, own.signal);
      if (this.asking !== own) return;
      this.results.show(sql, found, charted);
      this.history.add({ sql, at: Date.now(), rows: found.count, took: found.took });
      const rows = `${found.count.toLocaleString()} ${found.count === 1 ? "row" : "rows"}`;
      const told = `${found.cut ? "the first " : ""}${rows} in ${Math.round(found.took).toLocaleString()} ms`;
      const files = found.cut ? "; all are in the files" : "";
      say(this.note, `${told}, as of change ${found.position.toLocaleString()}${files}`);
    } catch (error) {
      // Another question has taken its place: what is said is of that one.
      if (this.asking !== own) return;
      say(this.note, own.signal.aborted ? "Cancelled." : "");
      if (!own.signal.aborted) {
        this.wrong(error);
        this.history.add({ sql, at: Date.now(), rows: null, took: 0 });
      }
    } finally {
      if (this.asking === own) this.busy(false);
      this.drawPast();
    }
  }

  private busy(is: boolean): void {
    this.trouble.hidden = this.trouble.hidden || is;
    this.cancel.hidden = !is;
    this.go.disabled = is;
    if (!is) this.asking = null;
  }

  private wrong(error: unknown): void {
    if (error === null) return void (this.trouble.hidden = true);
    const text = error instanceof Error ? error.message : String(error);
    this.trouble.textContent = text;
    this.trouble.hidden = false;
    const at = placeOf(error);
    if (at) this.editor.wrong(at, text);
  }

  private save(): void {
    void this.questions.save({ sql: this.editor.text, chart: this.results.charted });
  }

  private drawPast(): void {
    const rows = this.history.items.map(({ sql, at, rows: count }) => {
      const when = new Date(at).toLocaleString(undefined, { dateStyle: "short", timeStyle: "short" });
      const use = () => {
        this.editor.text = sql;
        this.editor.focus();
      };
      const what = el("code", {}, sql.replace(/\s+/g, " ").slice(0, KNOWN_BY));
      const how = el("span", { class: "muted" }, `${when}, ${count === null ? "failed" : `${count.toLocaleString()} ${count === 1 ? "row" : "rows"}`}`);
      return el("li", {}, el("button", { type: "button", class: "name", onclick: use }, what, how));
    });
    const forget = () => {
      this.history.clear();
      this.drawPast();
    };
    if (rows.length === 0)
      this.past.replaceChildren(el("p", { class: "nothing" }, "What you run is listed here, on this device."));
    else
      this.past.replaceChildren(
        el("ul", { class: "asked-list" }, ...rows),
        el("button", { type: "button", class: "plain", onclick: forget }, "Forget them"),
      );
  }
}
