// Light or dark: as the system says, until the reader chooses. The choice is kept on this device.

import { all } from "./dom";

const KEY = "bilten-theme";
const CHOICES = ["auto", "light", "dark"] as const;
type Choice = (typeof CHOICES)[number];

const system = matchMedia("(prefers-color-scheme: dark)");
const listeners = new Set<() => void>();

function choice(): Choice {
  try {
    const kept = localStorage.getItem(KEY);
    return CHOICES.find((each) => each === kept) ?? "auto";
  } catch {
    // Storage may be forbidden, as in a frame of another site.
    return "auto";
  }
}

export const isDark = (): boolean => (choice() === "auto" ? system.matches : choice() === "dark");

export const onTheme = (listener: () => void): void => void listeners.add(listener);

function apply(): void {
  const now = choice();
  if (now === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = now;
  for (const button of all<HTMLButtonElement>("[data-theme-choice]")) {
    button.setAttribute("aria-pressed", String(button.dataset.themeChoice === now));
  }
  for (const listener of listeners) listener();
}

export function startTheme(): void {
  document.addEventListener("click", (event) => {
    const button = event.target instanceof Element ? event.target.closest<HTMLElement>("[data-theme-choice]") : null;
    if (!button) return;
    try {
      localStorage.setItem(KEY, button.dataset.themeChoice ?? "auto");
    } catch {
      // It holds for this page alone then.
    }
    apply();
  });
  system.addEventListener("change", apply);
  apply();
}
