// The page for questions in SQL begins here.

import "./style/main.css";
import "./style/sql.css";
import { all, one } from "./dom";
import { closable, startClosing } from "./menus";
import { Workbench } from "./sql/workbench";
import { onTheme, startTheme } from "./theme";

startTheme();
startClosing();
for (const menu of all<HTMLDetailsElement>("body > header details.menu")) closable(menu);
const host = one("#sql");
if (host) {
  void Workbench.open(host, document.body.dataset.organizer ?? "").then((workbench) => onTheme(() => workbench.repaint()));
}
