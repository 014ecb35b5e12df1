// Figures that move by themselves. The page says honestly whether they do, and how old what it shows is.

import type { PanelData } from "./data/panel";
import { el, one, say } from "./dom";

export type LiveState = "connecting" | "live" | "reconnecting" | "paused";

/** What the pill says. Seconds count from what was last heard of, since all was current then. */
export function told(state: LiveState, seconds: number): string {
  const age = seconds < 60 ? `${seconds} s` : seconds < 3_600 ? `${Math.floor(seconds / 60)} min` : `${Math.floor(seconds / 3_600)} h`;
  switch (state) {
    case "connecting":
      return "connecting…";
    case "live":
      return "live";
    case "reconnecting":
      return `reconnecting… figures are ${age} old`;
    case "paused":
      return `paused, figures are ${age} old`;
  }
}

/** Not more than one sentence in this time, and only the first few of what changed. */
const SAY_EVERY = 20_000;
const MOST_NEWS = 3;

export class Live {
  private source: EventSource | null = null;
  private state: LiveState = "connecting";
  private current = Date.now();
  private since = Date.now();
  private news = new Map<string, string>();
  private readonly clock = setInterval(() => this.tick(), 1_000);
  private readonly onVisible = () => (document.hidden ? this.pause() : this.open());

  constructor(private readonly address: string, private readonly take: (data: PanelData) => string[], private readonly pill: HTMLElement | null) {
    document.addEventListener("visibilitychange", this.onVisible);
    if (!document.hidden) this.open();
  }

  /** The server sends every panel that differs from what it sent on this connection: a new one brings them all. */
  private open(): void {
    this.source?.close();
    this.become(this.state === "connecting" ? "connecting" : "reconnecting");
    const source = new EventSource(this.address);
    this.source = source;
    source.addEventListener("open", () => this.become("live"));
    source.addEventListener("panel", ({ data }) => this.heard(this.take(JSON.parse(data as string) as PanelData)));
    source.addEventListener("position", () => this.heard([]));
    source.addEventListener("error", () => {
      this.become("reconnecting");
      // An answer that is no stream closes it for good: then it is for us to ask again.
      if (source.readyState === EventSource.CLOSED) setTimeout(() => this.source === source && !document.hidden && this.open(), 5_000);
    });
  }

  private pause(): void {
    this.source?.close();
    this.source = null;
    this.become("paused");
  }

  private heard(news: string[]): void {
    this.become("live");
    for (const each of news) this.news.set(each.replace(/[\d.,\s]+.*$/, ""), each);
  }

  private become(state: LiveState): void {
    if (this.state === "live") this.current = Date.now();
    this.state = state;
    this.draw();
  }

  private tick(): void {
    this.draw();
    if (this.news.size === 0 || Date.now() - this.since < SAY_EVERY || this.state !== "live") return;
    this.since = Date.now();
    const place = one("#said");
    if (place) say(place, [...this.news.values()].slice(0, MOST_NEWS).join(", "));
    this.news.clear();
  }

  private draw(): void {
    if (this.state === "live") this.current = Date.now();
    if (!this.pill) return;
    this.pill.dataset.state = this.state;
    this.pill.hidden = false;
    say(this.pill, told(this.state, Math.max(0, Math.round((Date.now() - this.current) / 1_000))));
  }

  gone(): void {
    clearInterval(this.clock);
    document.removeEventListener("visibilitychange", this.onVisible);
    this.source?.close();
    this.source = null;
  }
}

/** Where changed figures are said to a screen reader. */
export function placeToSay(): void {
  if (!one("#said")) document.body.append(el("div", { id: "said", class: "unseen", role: "status", "aria-live": "polite" }));
}
