// The page for questions in SQL begins here.

import "./style/main.css";
import "./style/sql.css";
import { one } from "./dom";
import { startFrame } from "./frame";
import { Workbench } from "./sql/workbench";
import { onTheme } from "./theme";

startFrame();
const host = one("#sql");
if (host) {
  void Workbench.open(host, document.body.dataset.organizer ?? "").then((workbench) => onTheme(() => workbench.repaint()));
}
