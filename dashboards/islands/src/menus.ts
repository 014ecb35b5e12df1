// The menus of panels and of the page: they close by Escape and by a click elsewhere, and open the dialogs.

import { all, el, one } from "./dom";

export function startMenus(main: HTMLElement): void {
  const organizer = document.body.dataset.organizer ?? "";
  const page = document.body.dataset.page ?? "";
  const title = one("h1", main)?.textContent?.trim() ?? page;
  on("[data-share]", main, async () => (await import("./dialogs/share")).share(organizer, page, title));
  on("[data-report]", main, async () => (await import("./dialogs/report")).report(organizer, page, title));
  on("[data-alert]", main, async (button) => {
    const codes = all("[data-currency]", main).map(({ dataset }) => dataset.currency ?? "");
    await (await import("./dialogs/alert")).alertRule(organizer, button.dataset.alert || null, [...new Set(codes)]);
  });
  for (const menu of all<HTMLDetailsElement>("details.menu", main)) closable(menu);
}

function on(selector: string, main: HTMLElement, open: (button: HTMLElement) => Promise<unknown>): void {
  for (const button of all(selector, main)) {
    button.hidden = false;
    button.addEventListener("click", () => {
      const menu = button.closest<HTMLDetailsElement>("details.menu");
      if (menu) menu.open = false;
      open(button).then(
        () => (menu ? one("summary", menu) : button)?.focus(),
        (error: unknown) => sayTrouble(error),
      );
    });
  }
}

function sayTrouble(error: unknown): void {
  const text = error instanceof Error ? error.message : String(error);
  const note = el("p", { class: "toast", role: "alert" }, text);
  document.body.append(note);
  setTimeout(() => note.remove(), 8_000);
}

export function closable(menu: HTMLDetailsElement): void {
  menu.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !menu.open) return;
    menu.open = false;
    one("summary", menu)?.focus();
  });
  menu.addEventListener("focusout", (event) => {
    if (event.relatedTarget instanceof Node && !menu.contains(event.relatedTarget)) menu.open = false;
  });
  document.addEventListener("pointerdown", (event) => {
    if (menu.open && event.target instanceof Node && !menu.contains(event.target)) menu.open = false;
  });
}
