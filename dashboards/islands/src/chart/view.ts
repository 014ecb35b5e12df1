// One drawn facet: a Vega view that lives as long as its form does. New marks go into it without a new view.

import { Error as ERRORS, View, changeset, logger, parse, truthy } from "vega";
import { expressionInterpreter } from "vega-interpreter";
import { compile } from "vega-lite";
import "./functions";
import { MARKS, ROOM, STOPS, type Shape, specOf } from "./spec";
import { type Theme, config } from "./theme";
import type { Facet, Mark } from "./tidy";
import { hideTip, showTip } from "./tooltip";

const SHARPER = 2;

export class FacetView {
  private readonly view: View;
  private readonly key: string;
  private readonly overTime: boolean;
  private width: number;

  private constructor(host: HTMLElement, shape: Shape, theme: Theme, follow: (href: string) => void) {
    this.key = keyOf(shape, theme);
    this.overTime = shape.overTime;
    this.width = host.clientWidth;
    const { spec } = compile(specOf(shape, theme, this.width), { config: config(theme), logger: logger(ERRORS) });
    // The policy of the page allows no code made of text: expressions are walked instead.
    const runtime = parse(spec, undefined, { ast: true });
    this.view = new View(runtime, { expr: expressionInterpreter, container: host, renderer: "svg", hover: true });
    this.view.tooltip((_, event, _item, value) => (value ? showTip(event, String(value)) : hideTip()));
    this.view.addEventListener("click", (_, item) => {
      const href = (item?.datum as Mark | undefined)?.href;
      if (href) follow(href);
    });
  }

  static async draw(host: HTMLElement, shape: Shape, facet: Facet, theme: Theme, follow: (href: string) => void): Promise<FacetView> {
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
    this.view.change(MARKS, changeset().remove(truthy).insert(marks.map((each) => ({ ...each }))));
    if (this.overTime) this.view.change(STOPS, changeset().remove(truthy).insert(stops.map((each) => ({ ...each }))));
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
