// Figures that move by themselves. The page says honestly whether they do, and how old what it shows is.

import type { PanelData } from "./data/panel";
import { el, one, say } from "./dom";

export type LiveState = "connecting" | "live" | "reconnecting" | "paused" | "full" | "out" | "gone";

/** A source of events never says why it was refused; the status of a plain answer does. */
export function becauseOf(status: number): LiveState {
  if (status === 401) return "out";
  if (status === 403 || status === 404) return "gone";
  return status === 429 || status === 503 ? "full" : "reconnecting";
}

/** The server says something every few seconds, and be it that nothing has changed. Who says nothing is not there. */
export const SILENCE = 10;

/** What the pill says. Seconds count from what was last heard of, since all was current then. */
export function told(state: LiveState, seconds: number): string {
  const age =
    seconds < 60 ? `${seconds} s` : seconds < 3_600 ? `${Math.floor(seconds / 60)} min` : `${Math.floor(seconds / 3_600)} h`;
  switch (state) {
    case "connecting":
      return "connecting…";
    case "live":
      return "live";
    case "reconnecting":
      return `${seconds < SILENCE ? "reconnecting…" : "no connection,"} figures are ${age} old`;
    case "paused":
      return `paused, figures are ${age} old`;
    case "full":
      return `too many pages are open; figures are ${age} old`;
    case "out":
      return "you are logged out";
    case "gone":
      return "you may no longer see this";
  }
}

/** Not more than one sentence in this time, and only the first few of what changed. */
const SAY_EVERY = 20_000;
const MOST_NEWS = 3;
/** Who asks sooner is one more of those that are too many. */
const AGAIN_WHEN_FULL = 15_000;
const AGAIN = 5_000;

export class Live {
  private source: EventSource | null = null;
  private state: LiveState = "connecting";
  /** When something was heard last. */
  private current = Date.now();
  /** When a stream was asked for last. */
  private opened = Date.now();
  private since = Date.now();
  /** Who never was let in would be sent to the log-in and back for ever. */
  private wasLive = false;
  private news = new Map<string, string>();
  private readonly clock = setInterval(() => this.tick(), 1_000);
  private readonly onVisible = () => (document.hidden ? this.pause() : this.open());

  constructor(
    private readonly address: string,
    private readonly take: (data: PanelData) => string[],
    private readonly pill: HTMLElement | null,
  ) {
    document.addEventListener("visibilitychange", this.onVisible);
    if (!document.hidden) this.open();
  }

  /** The server sends every panel that differs from what it sent on this connection: a new one brings them all. */
  private open(): void {
    this.source?.close();
    this.become(this.state === "connecting" ? "connecting" : "reconnecting");
    const source = new EventSource(this.address);
    this.source = source;
    this.opened = Date.now();
    source.addEventListener("open", () => this.heard([]));
    source.addEventListener("panel", ({ data }) => this.heard(this.take(JSON.parse(data as string) as PanelData)));
    source.addEventListener("position", () => this.heard([]));
    source.addEventListener("beat", () => this.heard([]));
    source.addEventListener("error", () => {
      this.become("reconnecting");
      // An answer that is no stream closes it for good: then it is for us to ask again.
      if (source.readyState === EventSource.CLOSED) void this.refused(source);
    });
  }

  /** Says why there is no stream, and asks again where that may help. */
  private async refused(source: EventSource): Promise<void> {
    const state = await this.why();
    if (this.source !== source || document.hidden) return;
    this.become(state);
    if (state === "gone" || state === "out") {
      this.sayNow(told(state, 0));
      // What is being written in a dialog is not taken away. A reader with a link has no log-in to go to.
      const hasLogIn = document.body.dataset.shared === undefined;
      if (state === "out" && this.wasLive && hasLogIn && !one("dialog[open]")) location.reload();
      return;
    }
    const wait = state === "full" ? AGAIN_WHEN_FULL : AGAIN;
    setTimeout(() => this.source === source && !document.hidden && this.open(), wait);
  }

  private async why(): Promise<LiveState> {
    const asking = new AbortController();
    try {
      const { status } = await fetch(this.address, { headers: { Accept: "text/event-stream" }, signal: asking.signal });
      return becauseOf(status);
    } catch {
      return "reconnecting";
    } finally {
      // It may be a stream by now, and that is not read here.
      asking.abort();
    }
  }

  private pause(): void {
    this.source?.close();
    this.source = null;
    this.become("paused");
  }

  private heard(news: string[]): void {
    this.current = Date.now();
    this.become("live");
    for (const each of news) this.news.set(each.replace(/[\d.,\s]+.*$/, ""), each);
  }

  private become(state: LiveState): void {
    this.wasLive ||= state === "live";
    this.state = state;
    this.draw();
  }

  private tick(): void {
    const silent = Date.now() - Math.max(this.current, this.opened) >= SILENCE * 1_000;
    if (silent && this.source && this.source.readyState !== EventSource.CLOSED) {
      this.become("reconnecting");
      this.open();
    }
    this.draw();
    if (this.news.size === 0 || Date.now() - this.since < SAY_EVERY || this.state !== "live") return;
    this.since = Date.now();
    this.sayNow([...this.news.values()].slice(0, MOST_NEWS).join(", "));
    this.news.clear();
  }

  private sayNow(text: string): void {
    const place = one("#said");
    if (place) say(place, text);
  }

  private draw(): void {
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
