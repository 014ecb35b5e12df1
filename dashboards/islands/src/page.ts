// A dashboard in the browser. A new state is a new address: its HTML is fetched, and takes the place of what was shown.

import { all, el, one } from "./dom";
import { startFilters } from "./filters/bar";
import { Live } from "./live";
import { Panels } from "./panel/panels";
import { startMenus } from "./menus";

const BUSY_AFTER = 150;
/** A server that has said nothing for so long is away, as one that can't be reached. */
const PATIENCE = 60_000;

export class Page {
  private panels: Panels | null = null;
  private live: Live | null = null;
  private going = new AbortController();
  /** Where it is going, until it is there. */
  private next: string | null = null;

  start(): void {
    this.mount();
    addEventListener("popstate", () => void this.fetch(location.href, false));
    document.addEventListener("click", (event) => this.clicked(event));
  }

  repaint(): void {
    this.panels?.repaint();
  }

  private mount(): void {
    const [main, page] = [one("main"), document.body.dataset.page ?? ""];
    if (!main) return;
    const panels = new Panels(main, page, (href) => this.go(href));
    this.panels = panels;
    const form = one<HTMLFormElement>("form[data-filters]", main);
    if (form) startFilters(form, (href) => this.go(href));
    startMenus(main);
    const address = document.body.dataset.live;
    if (address) this.live = new Live(address, (data) => panels.take(data), one("[data-live-state]"));
  }

  /** A link to this page with another state is followed here; others are for the browser. */
  private clicked(event: MouseEvent): void {
    if (event.defaultPrevented || event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    const link = event.target instanceof Element ? event.target.closest("a") : null;
    if (!link || link.target || link.hasAttribute("download") || !this.isSame(link.href)) return;
    event.preventDefault();
    this.go(link.href);
  }

  private isSame(href: string): boolean {
    const url = new URL(href, location.href);
    return (
      url.origin === location.origin &&
      url.pathname === location.pathname &&
      url.search !== location.search &&
      document.body.dataset.shared === undefined
    );
  }

  private go(href: string): void {
    if (!this.isSame(href)) location.assign(href);
    else if (href !== this.next) void this.fetch(href, true);
  }

  private async fetch(href: string, isNew: boolean): Promise<void> {
    this.going.abort();
    this.next = href;
    const going = (this.going = new AbortController());
    const main = one("main");
    const busy = setTimeout(() => main?.setAttribute("aria-busy", "true"), BUSY_AFTER);
    try {
      const signal = AbortSignal.any([going.signal, AbortSignal.timeout(PATIENCE)]);
      const response = await fetch(href, { signal, headers: { Accept: "text/html" } });
      if (!response.ok || response.redirected) return location.assign(href);
      const next = new DOMParser().parseFromString(await response.text(), "text/html");
      if (isNew) history.pushState(null, "", href);
      this.replace(next);
    } catch (error) {
      if (!going.signal.aborted) this.lost(href, error);
    } finally {
      clearTimeout(busy);
      if (!going.signal.aborted) {
        this.next = null;
        one("main")?.removeAttribute("aria-busy");
      }
    }
  }

  /** The server is away: the bar says again what is shown, and what was chosen can be tried once more. */
  private lost(href: string, error: unknown): void {
    const main = one("main");
    if (!main) throw error;
    one<HTMLFormElement>("form[data-filters]", main)?.reset();
    one("[data-lost]", main)?.remove();
    const again = el("a", { href }, "Try again");
    again.addEventListener("click", (event) => {
      event.preventDefault();
      void this.fetch(href, href !== location.href);
    });
    const text = "The server can't be reached, so what you chose is not shown: these are still the figures from before. ";
    main.prepend(el("p", { class: "notice bad", role: "alert", "data-lost": true }, text, again));
  }

  private replace(next: Document): void {
    const [main, other] = [one("main"), one("main", next)];
    if (!main || !other) return location.reload();
    const back = whereFocusIs(main);
    this.live?.gone();
    this.panels?.gone();
    this.live = null;
    main.replaceChildren(...document.adoptNode(other).childNodes);
    // Other pages are entered with what is chosen here.
    const [nav, links] = [one("header nav"), one("header nav", next)];
    if (nav && links) nav.replaceChildren(...document.adoptNode(links).childNodes);
    document.title = next.title;
    if (next.body.dataset.live) document.body.dataset.live = next.body.dataset.live;
    else delete document.body.dataset.live;
    this.mount();
    back?.(main);
  }
}

/** The field or link that has the focus is found again by what it is, in the new page. */
function whereFocusIs(main: HTMLElement): ((main: HTMLElement) => void) | null {
  const active = document.activeElement;
  if (!(active instanceof HTMLElement) || !main.contains(active)) return null;
  const name = active instanceof HTMLInputElement || active instanceof HTMLSelectElement ? active.name : "";
  const value = active instanceof HTMLInputElement && /radio|checkbox/.test(active.type) ? active.value : null;
  const menu = active.closest("details")?.dataset.name;
  const { id } = active;
  return (next) => {
    const named = name
      ? all<HTMLInputElement>(`[name="${CSS.escape(name)}"]`, next).find((each) => value === null || each.value === value)
      : null;
    const inMenu = menu ? one(`details[data-name="${CSS.escape(menu)}"] > summary`, next) : null;
    const found = inMenu ?? (id ? next.querySelector<HTMLElement>(`#${CSS.escape(id)}`) : null) ?? named ?? next;
    found.focus({ preventScroll: true });
  };
}
