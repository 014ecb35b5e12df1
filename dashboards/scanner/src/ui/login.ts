import { el, icon } from "../dom";
import { type Device } from "../door/model";
import { Refused, Revoked, openServer } from "../door/server";
import { t } from "../i18n";
import { type App, heading } from "./app";
import { chooseList } from "./choose";
import { scanOnce } from "./scan-once";

/** What a registration's code or link says after `#`. */
export function registration(text: string): { token: string; gate: string | null } | null {
  const hash = text.includes("#") ? text.slice(text.indexOf("#") + 1) : text;
  const values = new URLSearchParams(hash);
  const token = values.get("token")?.trim();
  return token ? { token, gate: values.get("gate")?.trim() || null } : null;
}

export function logIn(host: HTMLElement, app: App): void {
  const token = el("input", { name: "token", class: "code", required: true, autocomplete: "off", autocapitalize: "off", spellcheck: false });
  const gate = el("input", { name: "gate", maxlength: 80, autocomplete: "off" });
  const error = el("p", { class: "error", role: "alert" }, app.notice);
  const button = el("button", { class: "wide" }, t("logInNow"));
  app.notice = "";

  const enter = async (device: Device) => {
    button.disabled = true;
    error.textContent = "";
    try {
      await register(app, device);
      app.show(chooseList);
    } catch (problem) {
      error.textContent = trouble(problem);
    } finally {
      button.disabled = false;
    }
  };
  const submit = (event: Event) => {
    event.preventDefault();
    const typed = registration(token.value) ?? { token: token.value.trim(), gate: null };
    void enter({ token: typed.token, name: null, gate: gate.value.trim() || typed.gate });
  };
  const scan = async () => {
    const text = await scanOnce();
    if (text === null) return;
    const found = registration(text);
    if (found) await enter({ token: found.token, name: null, gate: gate.value.trim() || found.gate });
    else error.textContent = t("noRegistration");
  };
  host.append(
    heading(app),
    el(
      "main",
      { class: "page" },
      el(
        "form",
        { class: "card", onsubmit: submit },
        el("div", { class: "stack" }, el("h1", {}, t("logIn")), el("p", { class: "muted" }, t("logInHelp"))),
        el("button", { type: "button", class: "wide", onclick: () => void scan() }, icon("camera"), t("scanRegistration")),
        el("label", {}, t("token"), token),
        el("label", {}, t("gate"), gate, el("span", { class: "hint muted small" }, t("gateHelp"))),
        error,
        button,
      ),
    ),
  );
}

/** Keeps the device once the server knows its token. */
export async function register(app: App, device: Device): Promise<void> {
  const known = await openServer(device).self();
  app.device = { ...device, name: known.name, gate: device.gate ?? known.gate };
  await app.memory.set("device", app.device);
}

export function trouble(problem: unknown): string {
  if (problem instanceof Revoked) return t("tokenWrong");
  if (problem instanceof Refused) return t("serverSays", { text: problem.message });
  return t("unreachable");
}

