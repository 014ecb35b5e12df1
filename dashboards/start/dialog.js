// What several pages show beside their own: a question before something that can't be taken back, and a picture.

import { element } from "./show.js";

/** Whether the answer is yes. Escape is no. */
export function confirmed(title, text, yes, no) {
  const answer = element("form", { method: "dialog", class: "row" });
  answer.append(element("button", { value: "no", class: "plain" }, no), element("button", { value: "yes", class: "danger" }, yes));
  const dialog = element("dialog", { class: "card", "aria-labelledby": "asked" }, element("h2", { id: "asked" }, title), element("p", {}, text), answer);
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
  });
}

/** An SVG image from an answer. As an image, whatever stands in it runs nothing. */
export const picture = (svg, alt) => element("img", { src: `data:image/svg+xml,${encodeURIComponent(svg)}`, alt, width: 240, height: 240 });
