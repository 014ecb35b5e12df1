// The camera's picture with the frame to aim by, and what can be done with the camera.

import { Camera, type CameraTrouble } from "../device/camera";
import { el, fill, icon } from "../dom";
import { type Key, t } from "../i18n";

const TROUBLES: Record<CameraTrouble, Key> = {
  insecure: "cameraInsecure",
  denied: "cameraDenied",
  none: "cameraNone",
  failed: "cameraFailed",
};

export function cameraTrouble(problem: CameraTrouble, retry: () => void): HTMLElement {
  const again = problem === "denied" || problem === "failed";
  return el(
    "div",
    { class: "trouble" },
    icon("camera"),
    el("p", {}, t(TROUBLES[problem])),
    again && el("button", { type: "button", class: "plain", onclick: retry }, t("retry")),
  );
}

export function finder(onCode: (text: string) => void): { view: HTMLElement; stop(): void } {
  const video = el("video", { playsinline: true, muted: true, "aria-label": t("camera") });
  const frame = el("div", { class: "frame" });
  const aim = el("p", { class: "aim" }, t("aim"));
  const tools = el("div", { class: "tools" });
  const view = el("section", { class: "finder", "aria-label": t("camera") });
  const camera = new Camera(video, onCode);
  let lit = false;

  const light = el("button", { type: "button", "aria-label": t("torch"), "aria-pressed": "false" }, icon("torch"));
  light.addEventListener("click", () => {
    lit = !lit;
    light.setAttribute("aria-pressed", String(lit));
    void camera.torch(lit);
  });
  const other = el(
    "button",
    { type: "button", "aria-label": t("switchCamera"), onclick: () => void camera.switch().then(shown) },
    icon("switch"),
  );

  const shown = (problem: CameraTrouble | null) => {
    if (problem) return fill(view, cameraTrouble(problem, start));
    lit = false;
    light.setAttribute("aria-pressed", "false");
    fill(tools, camera.hasTorch && light, camera.canSwitch && other);
    fill(view, video, frame, aim, tools);
  };
  const start = () => {
    fill(view, video, frame, aim, tools);
    void camera.start().then(shown);
  };
  start();
  return { view, stop: () => camera.end() };
}
