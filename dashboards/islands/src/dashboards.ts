// Every page but that of SQL begins here. What is heavy is fetched by the pages that use it.

import "./style/main.css";
import { one } from "./dom";
import { startFrame } from "./frame";
import { placeToSay } from "./live";
import { Page } from "./page";
import { onTheme } from "./theme";

placeToSay();
startFrame();

const manage = one("#manage");
if (manage) {
  void import("./manage/manage").then(({ startManage }) => startManage(manage));
} else {
  const page = new Page();
  onTheme(() => page.repaint());
  page.start();
}
