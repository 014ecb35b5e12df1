// Every page but that of SQL begins here. What is heavy is fetched by the pages that use it.

import "./style/main.css";
import { one } from "./dom";
import { placeToSay } from "./live";
import { closable } from "./menus";
import { Page } from "./page";
import { onTheme, startTheme } from "./theme";

placeToSay();
startTheme();
for (const menu of document.querySelectorAll<HTMLDetailsElement>("body > header details.menu")) closable(menu);

const manage = one("#manage");
if (manage) {
  void import("./manage/manage").then(({ startManage }) => startManage(manage));
} else {
  const page = new Page();
  onTheme(() => page.repaint());
  page.start();
}
