// One drawn facet: a Vega view that lives as long as its form does. New marks go into it without a new view.

import { Error as ERRORS, View, changeset, logger, parse, truthy } from "vega";
import { expressionInterpreter } from "vega-interpreter";
import { compile } from "vega-lite";
import "./functions";
import { MARKS, ROOM, STOPS, type Shape, specOf } from "./spec";
import { type Theme, config } from "./theme";
import type { Facet, Mark, Stop } from "./tidy";
import { hideTip, showTip } from "./tooltip";

const SHARPER = 2;

export class FacetView {
  private readonly view: View;
  private readonly key: string;
  private readonly overTime: boolean;
  private readonly stacked: boolean;
  private width: number;
  private marks: Mark[] = [];

  private constructor(host: HTMLElement, shape: Shape, theme: Theme, follow: (href: string) => void) {
    this.key = keyOf(shape, theme);
    this.overTime = shape.overTime;
    this.stacked = shape.kind !== "line";
    host.classList.toggle("leads", shape.overTime && shape.links);
    this.width = host.clientWidth;
    const { spec } = compile(specOf(shape, theme, this.width), { config: config(theme), logger: logger(ERRORS) });
    // The policy of the page allows no code made of text: expressions are walked instead.
    const runtime = parse(spec, undefined, { ast: true });
    this.view = new View(runtime, { expr: expressionInterpreter, container: host, renderer: "svg", hover: true });
    this.view.tooltip((_, event, item, value) => {
      // Where the nearest stop is looked for, the marks are stops that are drawn, and the rows are one further down.
      const tip = (item?.datum as { datum?: Partial<Stop> } | undefined)?.datum?.tip ?? value;
      // Without a value the pointer has left it.
      if (value && tip) showTip(event, String(tip));
      else hideTip();
    });
    this.view.addEventListener("click", (event, item) => {
      const mark = item?.datum as (Partial<Mark> & { datum?: Partial<Stop> }) | undefined;
      const href = mark?.datum?.tip === undefined ? mark?.href : this.nearest(event as MouseEvent)?.href;
      if (href) follow(href);
    });
  }

  /** The point nearest to the pointer: of each series the one that is nearest along the axis, and of these the nearest. */
  private nearest(event: MouseEvent): Mark | null {
    const box = this.view.container()?.querySelector("svg")?.getBoundingClientRect();
    const [left, top] = this.view.origin();
    const [x, y] = ["x", "y"].map((name) => this.view.scale(name) as (value: number) => number);
    if (!box || !x || !y) return null;
    const [across, down] = [event.clientX - box.left - left, event.clientY - box.top - top];
    const far = (mark: Mark) => Math.abs(x(Number(mark.x)) - across);
    // Lines are near or far; of what is stacked, the pointer is in one, or beside all.
    const off = (mark: Mark) =>
      this.stacked
        ? Math.max(0, y(mark.base + mark.y) - down, down - y(mark.base))
        : Math.abs(y(mark.y) - down);
    const near = new Map<string, Mark>();
    for (const mark of this.marks) {
      const known = near.get(mark.series);
      if (mark.href && (!known || far(mark) < far(known))) near.set(mark.series, mark);
    }
    return [...near.values()].sort((one, other) => off(one) - off(other))[0] ?? null;
  }

  static async draw(
    host: HTMLElement,
    shape: Shape,
    facet: Facet,
    theme: Theme,
    follow: (href: string) => void,
  ): Promise<FacetView> {
    const made = new FacetView(host, shape, theme, follow);
    await made.show(facet);
    // The host says what is drawn, in words.
    host.querySelector("svg")?.setAttribute("aria-hidden", "true");
    return made;
  }

  fits(shape: Shape, theme: Theme): boolean {
    return this.key === keyOf(shape, theme);
  }

  async show({ marks, stops }: Facet): Promise<void> {
    this.marks = marks;
    this.view.change(
      MARKS,
      changeset()
        .remove(truthy)
        .insert(marks.map((each) => ({ ...each }))),
    );
    if (this.overTime)
      this.view.change(
        STOPS,
        changeset()
          .remove(truthy)
          .insert(stops.map((each) => ({ ...each }))),
      );
    await this.view.runAsync();
  }

  async resize(width: number): Promise<void> {
    if (width === this.width || width === 0) return;
    this.width = width;
    await this.view.width(width).signal(ROOM, width).runAsync();
  }

  canvas(): Promise<HTMLCanvasElement> {
    return this.view.toCanvas(SHARPER) as unknown as Promise<HTMLCanvasElement>;
  }

  gone(): void {
    hideTip();
    this.view.finalize();
  }
}

const keyOf = (shape: Shape, theme: Theme): string => JSON.stringify([shape, theme]);
