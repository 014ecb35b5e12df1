// The chart of a panel: a facet for each currency and unit, side by side if there are many.

import type { PanelData } from "../data/panel";
import { el } from "../dom";
import { heightOf, shapeOf } from "./spec";
import { SERIES, type Theme, themeOf } from "./theme";
import { type Facet, type Options, facets, summary } from "./tidy";
import type { FacetView } from "./view";

/** Charts that are shown at once; a reader asks for more. */
const AT_ONCE = 6;

export class Chart {
  private readonly views = new Map<string, { place: HTMLElement; host: HTMLElement; view: FacetView | null }>();
  private readonly watched: ResizeObserver;
  private panel: PanelData;
  private all = false;
  /** Marks come faster than they are drawn: each drawing waits for the one before it, and shows the latest. */
  private drawing: Promise<void> = Promise.resolve();
  private waiting = false;

  constructor(private readonly host: HTMLElement, panel: PanelData, private readonly options: Options & { follow: (href: string) => void }) {
    this.panel = panel;
    this.watched = new ResizeObserver(() => {
      for (const { host: each, view } of this.views.values()) void view?.resize(each.clientWidth);
    });
    this.watched.observe(host);
  }

  show(panel: PanelData): Promise<void> {
    this.panel = panel;
    return this.redraw();
  }

  redraw(): Promise<void> {
    if (!this.waiting) {
      this.waiting = true;
      this.drawing = this.drawing.then(() => this.draw()).catch((error: unknown) => console.error(error));
    }
    return this.drawing;
  }

  private async draw(): Promise<void> {
    this.waiting = false;
    const found = facets(this.panel, this.options).map(fewer);
    const shown = this.all ? found : found.slice(0, AT_ONCE);
    this.host.classList.toggle("several", shown.length > 2);
    const keys = new Set(shown.map(({ key }) => key));
    for (const [key, { place, view }] of this.views) {
      if (keys.has(key)) continue;
      view?.gone();
      place.remove();
      this.views.delete(key);
    }
    const theme = themeOf(this.host);
    for (const facet of shown) await this.facet(facet, theme, shown.length > 2);
    this.more(found.length - shown.length);
  }

  private async facet(facet: Facet, theme: Theme, small: boolean): Promise<void> {
    const shape = shapeOf(this.panel.kind, facet, small);
    const known = this.views.get(facet.key) ?? this.place(facet);
    known.host.setAttribute("aria-label", summary(facet, this.panel));
    this.name(known.place, facet.title);
    if (known.view?.fits(shape, theme)) return known.view.show(facet);
    known.host.style.minHeight = `${heightOf(facet.marks, shape)}px`;
    known.view?.gone();
    known.host.replaceChildren();
    const drawing = await import("./view");
    known.view = await drawing.FacetView.draw(known.host, shape, facet, theme, this.options.follow);
  }

  private place(facet: Facet) {
    const host = el("div", { class: "drawn", role: "img" });
    const place = el("div", { class: "facet" }, host);
    this.host.append(place);
    const made = { place, host, view: null };
    this.views.set(facet.key, made);
    return made;
  }

  private name(place: HTMLElement, title: string | null): void {
    const known = place.querySelector(".facet-name");
    if (title === null) known?.remove();
    else if (known) known.textContent = title;
    else place.prepend(el("p", { class: "facet-name" }, title));
  }

  private more(left: number): void {
    this.host.querySelector(":scope > .more")?.remove();
    if (left <= 0) return;
    const ask = () => ((this.all = true), void this.redraw());
    this.host.append(el("button", { class: "more plain", type: "button", onclick: ask }, `Show ${left} more`));
  }

  /** What is drawn, facet by facet, with the names of the facets. */
  async canvases(): Promise<{ title: string | null; canvas: HTMLCanvasElement }[]> {
    await this.drawing;
    const made = [];
    for (const { place, view } of this.views.values()) {
      if (view) made.push({ title: place.querySelector(".facet-name")?.textContent ?? null, canvas: await view.canvas() });
    }
    return made;
  }

  gone(): void {
    this.watched.disconnect();
    for (const { view } of this.views.values()) view?.gone();
    this.views.clear();
  }
}

/** More series than colours can't be told apart: the largest stay, and the table has them all. */
function fewer(facet: Facet): Facet {
  if (facet.series.length <= SERIES || typeof facet.marks[0]?.x !== "number") return facet;
  const size = new Map<string, number>();
  for (const { series, y } of facet.marks) size.set(series, (size.get(series) ?? 0) + y);
  const kept = new Set([...size].sort(([, one], [, other]) => other - one).slice(0, SERIES).map(([name]) => name));
  return { ...facet, marks: facet.marks.filter(({ series }) => kept.has(series)), series: facet.series.filter((name) => kept.has(name)) };
}
