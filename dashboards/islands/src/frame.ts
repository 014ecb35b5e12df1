// What surrounds every page: its colours, its menus, and the way to the other pages.

import { all, one } from "./dom";
import { startClosing } from "./menus";
import { startTheme } from "./theme";

export function startFrame(): void {
  startTheme();
  startClosing();
  startOrganizers();
  // On a small screen the list of pages is longer than the screen: the one that is open is in sight.
  one(".bar a[aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
}

/** On pages without a filter bar whose rows are shown is all there is to choose. */
function startOrganizers(): void {
  for (const form of all<HTMLFormElement>("form[data-organizer]")) {
    form.classList.add("enhanced");
    form.addEventListener("change", () => form.submit());
  }
}
