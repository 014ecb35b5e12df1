// The panels of a page: each section with what it shows, and how it takes what is new.

import { Chart } from "../chart/chart";
import { savePicture } from "../chart/png";
import type { PanelData, Row } from "../data/panel";
import { drilled, tidyState } from "../data/state";
import { all, el, one } from "../dom";
import type { Pivot } from "./pivot";
import { showFigures } from "./figures";
import { showTable } from "./table";

export interface Panel {
  section: HTMLElement;
  data: PanelData;
  chart: Chart | null;
  pivot: Promise<Pivot> | null;
}

export class Panels {
  private readonly byId = new Map<string, Panel>();
  private readonly zone: string | null;

  /** `follow` goes where a mark leads. */
  constructor(
    private readonly main: HTMLElement,
    private readonly page: string,
    private readonly follow: (href: string) => void,
  ) {
    this.zone = zoneOf(main);
    for (const section of all("section.panel", main)) this.mount(section);
  }

  private mount(section: HTMLElement): void {
    const text = one("script.panel-data", section)?.textContent;
    if (!text) return;
    const data = JSON.parse(text) as PanelData;
    const panel: Panel = { section, data, chart: null, pivot: null };
    this.byId.set(data.id, panel);
    const [place, pivot] = [one("[data-chart]", section), one("[data-pivot]", section)];
    const hrefOf = (row: Row) => this.hrefOf(data, row);
    if (place && !data.error) {
      panel.chart = new Chart(place, data, { hrefOf, follow: this.follow });
      const png = one("[data-png]", section);
      if (png) png.hidden = false;
      png?.addEventListener("click", () => void savePicture(panel.chart as Chart, section, data.title, this.when()));
    }
    if (pivot)
      whenSeen(
        pivot,
        () => (panel.pivot = import("./pivot").then(({ Pivot }) => Pivot.open(pivot, String(pivot.dataset.pivot), data))),
      );
    this.show(panel, data, false);
  }

  private hrefOf({ drill }: PanelData, row: Row): string | null {
    return drilled(drill, row, this.page, tidyState(new URLSearchParams(location.search)));
  }

  private when(): string {
    return one("[data-when]", this.main)?.textContent?.trim() ?? "";
  }

  /** Takes what the server sent. Says what is new, for those who can't see it. */
  take(data: PanelData): string[] {
    const panel = this.byId.get(data.id);
    return panel ? this.show(panel, data, true) : [];
  }

  private show(panel: Panel, came: PanelData, moved: boolean): string[] {
    const data = { ...came, ...(this.zone && { zone: this.zone }) };
    panel.data = data;
    const { section } = panel;
    this.trouble(section, data.error);
    if (data.error) return [];
    const [list, table] = [one("dl.figures", section), one<HTMLTableElement>("table", section)];
    if (table) whenOpen(table, () => showTable(table, panel.data, (row) => this.hrefOf(panel.data, row)));
    section.classList.toggle("no-rows", data.rows.length === 0);
    const empty = one("[data-empty]", section);
    if (empty) empty.hidden = data.rows.length > 0;
    void panel.chart?.show(data);
    void panel.pivot?.then((pivot) => pivot.refresh());
    return list && data.rows.length > 0 ? showFigures(list, data, moved) : [];
  }

  private trouble(section: HTMLElement, error: string | null): void {
    const place = one(".trouble", section);
    if (!error) return void place?.remove();
    if (place) place.textContent = error;
    else one("header", section)?.after(el("p", { class: "trouble" }, error));
  }

  /** Colours have changed. */
  repaint(): void {
    for (const { chart, pivot } of this.byId.values()) {
      void chart?.redraw();
      void pivot?.then((each) => each.repaint());
    }
  }

  gone(): void {
    for (const { chart, pivot } of this.byId.values()) {
      chart?.gone();
      void pivot?.then((each) => each.gone());
    }
    this.byId.clear();
  }
}

/** On whose clocks the page is, which it says itself. A browser that knows no such zone stays with its own. */
function zoneOf(main: HTMLElement): string | null {
  const zone = one("[data-zone]", main)?.dataset.zone;
  if (!zone) return null;
  try {
    new Intl.DateTimeFormat(undefined, { timeZone: zone });
    return zone;
  } catch {
    return null;
  }
}

/** A table that nobody has opened is not written again and again. */
function whenOpen(table: HTMLElement, draw: () => void): void {
  const fold = table.closest<HTMLDetailsElement>("details.as-table");
  if (!fold || fold.open) draw();
  if (fold) fold.ontoggle = () => fold.open && draw();
}

/** What is heavy comes when somebody looks at it. */
function whenSeen(host: Element, open: () => unknown): void {
  const watch = new IntersectionObserver(
    (entries) => {
      if (!entries.some(({ isIntersecting }) => isIntersecting)) return;
      watch.disconnect();
      open();
    },
    { rootMargin: "200px" },
  );
  watch.observe(host);
}
