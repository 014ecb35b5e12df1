import { Door } from "../door/door";
import type { ListChoice } from "../door/model";
import { openServer } from "../door/server";
import { el, fill, icon } from "../dom";
import { day, t } from "../i18n";
import { type App, heading } from "./app";
import { logIn, trouble } from "./login";
import { scanScreen } from "./scan";

export function chooseList(host: HTMLElement, app: App): void {
  const place = el("div", { class: "stack", "aria-busy": "true" });
  const error = el("p", { class: "error", role: "alert" });
  const title = app.door
    ? el("button", { type: "button", class: "plain", onclick: () => app.show(scanScreen) }, icon("back", "turns"), t("back"))
    : null;
  host.append(heading(app), el("main", { class: "page" }, title, el("h1", {}, t("choose")), error, place));

  const take = async (choice: ListChoice) => {
    fill(place, el("p", { class: "muted", role: "status" }, t("download")));
    error.textContent = "";
    try {
      await openDoor(app, choice.listId);
      app.show(scanScreen);
    } catch (problem) {
      error.textContent = trouble(problem);
      void load();
    }
  };
  const load = async () => {
    const { device } = app;
    if (!device) return app.show(logIn);
    try {
      const choices = await app.guard(openServer(device).lists());
      fill(place, choices.length ? choiceList(choices, app.door?.listId, take) : el("p", { class: "card muted" }, t("noLists")));
    } catch (problem) {
      if (!app.device) return;
      error.textContent = trouble(problem);
      fill(place, el("button", { type: "button", onclick: () => void load() }, t("retry")));
    }
    place.removeAttribute("aria-busy");
  };
  void load();
}

/** Loads the list, unless it is on the device already, and leaves the door that was open before. */
export async function openDoor(app: App, listId: string): Promise<void> {
  if (!app.device || app.door?.listId === listId) return;
  const door = await app.guard(Door.open(app.memory, openServer(app.device), app.device, listId));
  app.door?.close();
  app.door = door;
  await app.memory.set("list", listId);
}

function choiceList(choices: ListChoice[], chosen: string | undefined, take: (choice: ListChoice) => void): HTMLElement {
  const events = new Map<string, ListChoice[]>();
  for (const choice of choices) events.set(choice.eventId, [...(events.get(choice.eventId) ?? []), choice]);
  const sections = [...events.values()].map((lists) => {
    const [{ event, startsAt, timezone }] = lists as [ListChoice];
    const rows = lists.map((choice) => {
      const current = choice.listId === chosen;
      const button = el(
        "button",
        { type: "button", class: "plain choice", "aria-current": current && "true", onclick: () => take(choice) },
        el("span", {}, choice.name),
        current ? el("span", { class: "pill good" }, t("chosen")) : icon("entry", "turns"),
      );
      return el("li", {}, button);
    });
    return el(
      "section",
      { class: "card" },
      el("div", {}, el("h2", {}, event), el("p", { class: "muted small" }, day(new Date(startsAt), timezone))),
      el("ul", { class: "rows" }, ...rows),
    );
  });
  return el("div", { class: "stack" }, ...sections);
}
