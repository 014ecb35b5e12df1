import { type Child, el } from "../dom";
import { t } from "../i18n";

/** Opens a dialog that is gone when it is closed. */
export function open(content: (close: () => void) => Child[]): HTMLDialogElement {
  const dialog = el("dialog", { onclose: () => dialog.remove() });
  dialog.append(...content(() => dialog.close()).filter((child): child is Node => child instanceof Node));
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

interface Question {
  title: string;
  /** The label of what is to be typed. Missing: only yes or no. */
  label?: string;
  yes: string;
  class?: string;
  danger?: boolean;
}

/** What was typed, or an empty text for a plain yes; null if nothing was said. */
export function ask({ title, label, yes, class: kind = "", danger = false }: Question): Promise<string | null> {
  return new Promise((resolve) => {
    let answer: string | null = null;
    const field = label
      ? el("input", { class: kind, required: true, maxlength: 200, autocomplete: "off", autocapitalize: "off", spellcheck: false })
      : null;
    const dialog = open((close) => [
      el(
        "form",
        {
          onsubmit: (event) => {
            event.preventDefault();
            answer = field?.value.trim() ?? "";
            if (!field || answer) close();
          },
        },
        el("h2", { id: "question" }, title),
        field && el("label", {}, label, field),
        el(
          "div",
          { class: "buttons" },
          el("button", { type: "button", class: "plain", onclick: close }, t("cancel")),
          el("button", { class: danger ? "danger" : "" }, yes),
        ),
      ),
    ]);
    dialog.setAttribute("aria-labelledby", "question");
    dialog.addEventListener("close", () => resolve(answer));
    field?.focus();
  });
}
