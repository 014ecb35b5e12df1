// The filter bar. It is a plain form; here it answers at once, and long lists of values can be searched.

import { all, el, one } from "../dom";
import { tidyState } from "../data/state";

/** Lists longer than this get a field to search in. */
const LONG = 8;
const DAY = 86_400_000;
/** The range that the days beside it name. */
const CUSTOM = "custom";

const moved = (day: string, days: number): string =>
  new Date(Date.parse(`${day}T00:00:00Z`) + days * DAY).toISOString().slice(0, 10);

export function startFilters(form: HTMLFormElement, go: (href: string) => void): void {
  // A form that has been taken away, with a menu that closes late, asks for nothing.
  const submit = () => form.isConnected && go(`${new URL(form.action).pathname}?${stateOf(form)}`);
  form.classList.add("enhanced");
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    closeAll(form);
    submit();
  });
  for (const field of all<HTMLInputElement>("input[type=radio], select", form)) {
    field.addEventListener("change", () => {
      if (field.value === CUSTOM) return one("input[type=date]", form)?.focus();
      if (field.name === "range") for (const day of all<HTMLInputElement>("input[type=date]", form)) day.value = "";
      submit();
    });
  }
  for (const day of all("input[type=date]", form)) {
    day.addEventListener("input", () => {
      const own = one<HTMLInputElement>(`input[value=${CUSTOM}]`, form);
      if (own) own.checked = true;
    });
  }
  for (const menu of all<HTMLDetailsElement>("details", form)) startMenu(form, menu, submit);
  lastDayIsIn(form);
}

/** The state ends before its last day; a reader means to see it. */
function lastDayIsIn(form: HTMLFormElement): void {
  const before = one<HTMLInputElement>("input[name=to]", form);
  if (!before) return;
  // Its default too, which is what it has again when the form is put back.
  if (before.value) before.defaultValue = before.value = moved(before.value, -1);
  before.dataset.inclusive = "";
  const label = one("[data-to-label]", form);
  if (label) label.textContent = "To";
}

/** Who says the last day first means the same days. */
function firstDayFirst(form: HTMLFormElement): void {
  const [from, to] = ["from", "to"].map((name) => one<HTMLInputElement>(`input[name=${name}]`, form));
  if (from?.value && to?.value && from.value > to.value) [from.value, to.value] = [to.value, from.value];
}

export function stateOf(form: HTMLFormElement): URLSearchParams {
  firstDayFirst(form);
  const pairs = [...new FormData(form)].map(([name, value]): [string, string] => {
    const inclusive = name === "to" && one("input[name=to]", form)?.dataset.inclusive !== undefined;
    return [name, inclusive && value ? moved(String(value), 1) : String(value)];
  });
  // What is filtered by and has no field here, such as the event of a page, stays as it is.
  const fields = new Set(all<HTMLInputElement>("[name]", form).map(({ name }) => name));
  const kept = [...new URLSearchParams(location.search)].filter(([name]) => name.startsWith("filter.") && !fields.has(name));
  return tidyState([...pairs, ...kept]);
}

const closeAll = (form: HTMLFormElement): void => {
  for (const menu of all<HTMLDetailsElement>("details[open]", form)) menu.open = false;
};

function startMenu(form: HTMLFormElement, menu: HTMLDetailsElement, submit: () => void): void {
  const summary = one("summary", menu);
  const chosen = () =>
    all<HTMLInputElement>("input", menu)
      .map(({ checked, value, type }) => (type === "date" ? value : checked))
      .join();
  let before = chosen();
  const entries = all("fieldset label, li", menu);
  if (entries.length > LONG && menu.dataset.name !== "range") search(menu, entries);
  menu.addEventListener("toggle", () => {
    if (menu.open) {
      before = chosen();
      for (const other of all<HTMLDetailsElement>("details[open]", form)) if (other !== menu) other.open = false;
      one("input, a", menu)?.focus();
    } else if (before !== chosen()) submit();
  });
  menu.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !menu.open) return;
    menu.open = false;
    summary?.focus();
  });
}

function search(menu: HTMLDetailsElement, entries: HTMLElement[]): void {
  const nothing = el("p", { class: "nothing", hidden: true }, "Nothing is called that.");
  const name = one("summary", menu)?.dataset.name ?? "values";
  const field = el("input", {
    type: "search",
    placeholder: "Search",
    "aria-label": `Search in ${name}`,
    autocomplete: "off",
    oninput: () => {
      const wanted = field.value.trim().toLocaleLowerCase();
      for (const entry of entries) entry.hidden = !(entry.textContent ?? "").toLocaleLowerCase().includes(wanted);
      nothing.hidden = entries.some(({ hidden }) => !hidden);
    },
  });
  // Enter in a search field would send the form off.
  field.addEventListener("keydown", (event) => event.key === "Enter" && event.preventDefault());
  const list = one("fieldset, ul", menu);
  list?.before(field);
  list?.after(nothing);
}
