// What came back: as a table, as a pivot, as a chart, and as files.

import { Chart } from "../chart/chart";
import { savePicture } from "../chart/png";
import type { Pivot } from "../panel/pivot";
import { isNumber } from "../panel/table";
import { el, save } from "../dom";
import { type Charted, chartOf, chooser, guess } from "./chart";
import { type Answer, ask } from "./run";

const MOST = 500;
const FILES = [
  ["CSV", "text/csv; for=spreadsheet", "csv"],
  ["XLSX", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "xlsx"],
  ["Parquet", "application/vnd.apache.parquet", "parquet"],
] as const;

type View = "table" | "chart" | "pivot";

export class Results {
  private chart: Chart | null = null;
  private pivoted: Promise<Pivot> | null = null;
  charted: Charted | null = null;
  private view: View = "table";

  constructor(
    private readonly host: HTMLElement,
    private readonly organizer: string,
    /** Says what went wrong; null takes back what was said. */
    private readonly trouble: (error: unknown) => void,
  ) {}

  show(sql: string, answer: Answer, charted: Charted | null): void {
    this.clear();
    this.charted = charted ?? guess(answer.columns);
    if (charted) this.view = "chart";
    if (answer.rows.length === 0)
      return this.host.replaceChildren(el("p", { class: "nothing" }, "No row answers this. Fewer conditions may find some."));
    const body = el("div", { class: "view" });
    const views: [View, string, () => void][] = [
      ["table", "Table", () => body.replaceChildren(table(answer))],
      ["chart", "Chart", () => this.draw(body, answer)],
      ["pivot", "Pivot", () => this.pivot(body, answer)],
    ];
    const tabs = views.map(([name, label, open]) => {
      const tab = el("button", { type: "button", role: "tab", id: `tab-${name}`, "aria-controls": "view" }, label);
      const choose = () => {
        this.view = name;
        this.drop();
        for (const each of tabs) {
          each.setAttribute("aria-selected", String(each === tab));
          each.tabIndex = each === tab ? 0 : -1;
        }
        body.setAttribute("aria-labelledby", tab.id);
        open();
      };
      tab.addEventListener("click", choose);
      tab.addEventListener("keydown", (event) => {
        const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
        const other = step && tabs[(tabs.indexOf(tab) + step + tabs.length) % tabs.length];
        if (other) (other.focus(), other.click());
      });
      return tab;
    });
    body.id = "view";
    body.setAttribute("role", "tabpanel");
    const files = FILES.map(([label, type, end]) => this.file(label, type, end, sql));
    this.host.replaceChildren(
      el(
        "div",
        { class: "tabs" },
        el("div", { role: "tablist", "aria-label": "How to see the answer" }, ...tabs),
        el("div", { class: "files" }, ...files),
      ),
      body,
    );
    tabs[views.findIndex(([name]) => name === this.view)]?.click();
  }

  /** What is drawn takes memory until it is told to go. */
  private drop(): void {
    this.chart?.gone();
    this.chart = null;
    void this.pivoted?.then((pivot) => pivot.gone()).catch(() => undefined);
    this.pivoted = null;
  }

  clear(): void {
    this.drop();
    this.host.replaceChildren();
  }

  repaint(): void {
    void this.chart?.redraw();
  }

  private draw(body: HTMLElement, answer: Answer): void {
    const place = el("div", { class: "chart", role: "group", "aria-label": "Chart of the answer" });
    const charted = this.charted;
    if (!charted)
      return body.replaceChildren(el("p", { class: "nothing" }, "There is no number to draw. Ask for a count or a sum."));
    const redraw = () => {
      const panel = chartOf(answer, charted);
      this.chart ??= new Chart(place, panel, { hrefOf: () => null, follow: () => undefined });
      void this.chart.show(panel);
    };
    const png = el(
      "button",
      {
        type: "button",
        class: "plain",
        onclick: () => this.chart && void savePicture(this.chart, body, "Answer", new Date().toLocaleString()),
      },
      "PNG",
    );
    const note = cutNote(answer);
    body.replaceChildren(chooser(answer.columns, charted, redraw, png), place, ...(note ? [note] : []));
    redraw();
  }

  private pivot(body: HTMLElement, answer: Answer): void {
    const place = el("div", { class: "pivot-place", "data-settings": "open" });
    const note = cutNote(answer);
    body.replaceChildren(place, ...(note ? [note] : []));
    const open = async () => {
      const { Pivot } = await import("../panel/pivot");
      return Pivot.of(place, answer.came);
    };
    this.pivoted = open();
    this.pivoted.catch(this.trouble);
  }

  private file(label: string, type: string, end: string, sql: string): HTMLElement {
    const button = el("button", { type: "button", class: "plain", "aria-label": `Save as ${label}` }, label);
    button.addEventListener("click", () => {
      button.disabled = true;
      this.trouble(null);
      ask(sql, this.organizer, type)
        .then((response) => response.blob())
        .then((blob) => save(blob, `answer.${end}`))
        .catch((error: unknown) => {
          const why = error instanceof Error ? error.message : String(error);
          this.trouble(new Error(`There is no ${label} of this answer. ${why}`));
        })
        .finally(() => (button.disabled = false));
    });
    return button;
  }
}

/** Said wherever the rows are shown that the page has, and these are not all. */
const cutNote = ({ cut, count }: Answer): HTMLElement | null =>
  cut ? el("p", { class: "note" }, `The first ${count.toLocaleString()} rows; all are in the files.`) : null;

function table(answer: Answer): HTMLElement {
  const { columns, texts, count, cut } = answer;
  const head = columns.map((column) => el("th", { scope: "col", class: isNumber(column) && "number" }, column.label));
  const body = texts.slice(0, MOST).map((row) =>
    el(
      "tr",
      {},
      ...columns.map((column, index) =>
        el("td", { class: isNumber(column) && "number" }, row[index] ?? el("span", { class: "muted" }, "null")),
      ),
    ),
  );
  const all = `${cut ? "more than " : ""}${count.toLocaleString()} rows`;
  return el(
    "div",
    {},
    el(
      "div",
      { class: "scroll", tabindex: "0", role: "region", "aria-label": "Rows" },
      el("table", {}, el("thead", {}, el("tr", {}, ...head)), el("tbody", {}, ...body)),
    ),
    count > MOST && el("p", { class: "note" }, `The first ${MOST} of ${all}. The files have all of them.`),
  );
}
