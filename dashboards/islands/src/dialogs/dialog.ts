// Dialogs: a form that asks something, sends it, and says what was wrong with it beside the field.

import { Refused } from "../api";
import { type Child, all, el, one } from "../dom";

export interface Asked {
  title: string;
  about?: string;
  fields: Child[];
  submit: string;
  danger?: boolean;
  /** What comes of it; elements that it returns take the place of the form. */
  send: (form: HTMLFormElement) => Promise<Child[] | void>;
}

let count = 0;

/** Resolves when the dialog is closed: whether something was sent. */
export function ask({ title, about, fields, submit, danger, send }: Asked): Promise<boolean> {
  const id = `dialog-${(count += 1)}`;
  const trouble = el("p", { class: "trouble", role: "alert", hidden: true });
  const cancel = el("button", { type: "button", class: "plain", onclick: () => dialog.close() }, "Cancel");
  const go = el("button", { class: danger && "danger" }, submit);
  const form = el("form", { class: "asked" }, ...fields, trouble, el("div", { class: "buttons" }, cancel, go));
  const close = el("button", { type: "button", class: "icon close", "aria-label": "Close", onclick: () => dialog.close() }, "×");
  const dialog = el("dialog", { "aria-labelledby": id }, el("header", {}, el("h2", { id }, title), close), about && el("p", { class: "muted" }, about), form);
  let sent = false;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void (async () => {
      go.disabled = true;
      trouble.hidden = true;
      for (const field of all("[aria-invalid]", form)) field.removeAttribute("aria-invalid");
      try {
        const shown = await send(form);
        sent = true;
        if (!shown) return dialog.close();
        form.replaceChildren(...shown.filter((each): each is Node => each instanceof Node), el("div", { class: "buttons" }, el("button", { type: "button", onclick: () => dialog.close() }, "Done")));
        one("input, button", form)?.focus();
      } catch (error) {
        trouble.textContent = error instanceof Error ? error.message : String(error);
        trouble.hidden = false;
        const name = error instanceof Refused ? error.pointer?.split("/")[1] : undefined;
        const field = name ? one(`[name="${CSS.escape(name)}"]`, form) : null;
        field?.setAttribute("aria-invalid", "true");
        field?.focus();
      } finally {
        go.disabled = false;
      }
    })();
  });
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) =>
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(sent);
    }),
  );
}

export const confirmed = (title: string, about: string, yes: string, send: () => Promise<unknown>): Promise<boolean> =>
  ask({ title, about, fields: [], submit: yes, danger: true, send: async () => void (await send()) });

let fields = 0;

/** A field with its name above it and what there is to know of it below. */
export function field(label: string, input: HTMLElement, hint?: string): HTMLElement {
  const id = `field-${(fields += 1)}`;
  input.id ||= id;
  const about = hint ? el("small", { id: `${id}-hint` }, hint) : null;
  if (about) input.setAttribute("aria-describedby", about.id);
  return el("div", { class: "field" }, el("label", { for: input.id }, label), input, about);
}

export function choice(name: string, options: [value: string, label: string][], selected?: string): HTMLSelectElement {
  return el("select", { name }, ...options.map(([value, label]) => el("option", { value, selected: value === selected }, label)));
}

/** A text with a button that copies it. */
export function copied(label: string, text: string, rows = 1): HTMLElement {
  const input = rows > 1 ? el("textarea", { readonly: true, rows, spellcheck: "false" }, text) : el("input", { readonly: true, value: text });
  const button = el("button", { type: "button", class: "plain" }, "Copy");
  button.addEventListener("click", () => {
    void navigator.clipboard.writeText(text).then(
      () => (button.textContent = "Copied"),
      // Without leave to write there, the reader copies what is selected.
      () => input.select(),
    );
  });
  return el("div", { class: "copied" }, field(label, input), button);
}
