// Which screen is shown, and what every screen has in common.

import type { Door } from "../door/door";
import type { Memory } from "../door/memory";
import type { Device } from "../door/model";
import { Revoked } from "../door/server";
import { el, fill } from "../dom";
import { isLanguage, language, languages, preferred, t, useLanguage } from "../i18n";

/** Builds itself into the place and says what is to be done when it goes. */
export type Screen = (host: HTMLElement, app: App) => (() => void) | void;

export class App {
  device: Device | null = null;
  door: Door | null = null;
  private screen: Screen | null = null;
  private leave: (() => void) | void = undefined;
  private said = 0;

  constructor(
    readonly memory: Memory,
    private readonly host: HTMLElement,
    private readonly speaker: HTMLElement,
  ) {}

  show(screen: Screen): void {
    this.leave?.();
    this.screen = screen;
    document.querySelectorAll("dialog").forEach((dialog) => dialog.close());
    document.title = t("app");
    fill(this.host);
    this.leave = screen(this.host, this);
  }

  /** The same screen, in another language or about something else. */
  again(): void {
    if (this.screen) this.show(this.screen);
  }

  /** For those who hear the page. The same words twice are said twice. */
  say(text: string): void {
    this.speaker.textContent = this.said++ % 2 ? `${text}\u00a0` : text;
  }

  /** A device that the server no longer knows forgets everything, wherever that shows. */
  async guard<T>(work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      if (error instanceof Revoked && this.device) await this.logOut(t("wiped"));
      throw error;
    }
  }

  notice = "";
  logInScreen: Screen = () => undefined;

  async logOut(notice = ""): Promise<void> {
    this.door?.close();
    [this.door, this.device, this.notice] = [null, null, notice];
    await this.memory.wipe();
    await this.memory.set("language", language());
    this.show(this.logInScreen);
  }

  async chooseLanguage(name: string): Promise<void> {
    if (!isLanguage(name)) return;
    useLanguage(name);
    await this.memory.set("language", name);
    this.again();
  }

  async startLanguage(): Promise<void> {
    const chosen = await this.memory.get<string>("language");
    useLanguage(isLanguage(chosen) ? chosen : preferred(navigator.languages));
  }

  languageChoice(): HTMLElement {
    const options = Object.entries(languages).map(([name, { name: shown }]) =>
      el("option", { value: name, lang: name, selected: name === language() }, shown),
    );
    return el(
      "select",
      {
        class: "languages",
        "aria-label": t("language"),
        onchange: (event) => void this.chooseLanguage((event.target as HTMLSelectElement).value),
      },
      ...options,
    );
  }
}

/** The page's name and its languages, above the screens of a device that is not at its door yet. */
export function heading(app: App): HTMLElement {
  const mark = el("img", { src: "/scanner/icon.svg", alt: "", width: 36, height: 36 });
  return el("header", { class: "bar" }, el("div", { class: "brand" }, mark, `Bilten ${t("app")}`), app.languageChoice());
}
