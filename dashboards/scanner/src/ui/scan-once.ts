import { Camera } from "../device/camera";
import { el } from "../dom";
import { t } from "../i18n";
import { open } from "./dialogs";
import { cameraTrouble } from "./finder";

/** The first code that the camera sees; null if the dialog is closed before. */
export function scanOnce(): Promise<string | null> {
  return new Promise((resolve) => {
    let found: string | null = null;
    const video = el("video", { playsinline: true, muted: true, "aria-label": t("camera") });
    const place = el("div", { class: "finder" }, video, el("div", { class: "frame" }));
    const dialog = open((close) => [
      el("h2", {}, t("scanRegistration")),
      place,
      el("div", { class: "buttons" }, el("button", { type: "button", class: "plain", onclick: close }, t("cancel"))),
    ]);
    dialog.classList.add("once");
    const camera = new Camera(video, (text) => {
      found = text;
      dialog.close();
    });
    dialog.addEventListener("close", () => {
      camera.end();
      resolve(found);
    });
    void camera.start().then((problem) => problem && place.replaceChildren(cameraTrouble(problem, () => undefined)));
  });
}
