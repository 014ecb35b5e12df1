// What surrounds every page: its colours, its menus, and the way to the other pages.

import { one } from "./dom";
import { startClosing } from "./menus";
import { startTheme } from "./theme";

export function startFrame(): void {
  startTheme();
  startClosing();
  // On a small screen the list of pages is longer than the screen: the one that is open is in sight.
  one(".bar a[aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
}
