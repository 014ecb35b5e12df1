// What there is to ask: schemas, tables, columns. A click writes the name.

import { all, el } from "../dom";

export interface Schema {
  schemas: { name: string; tables: Table[] }[];
}

export interface Table {
  name: string;
  description: string;
  grain: string;
  columns: { name: string; type: string; description: string }[];
}

const SHORT: Record<string, string> = {
  Utf8: "text", LargeUtf8: "text", Utf8View: "text", Int64: "bigint", Int32: "int", UInt64: "bigint", UInt32: "int", Int16: "int", Float64: "double",
  Float32: "real", Boolean: "bool", Date32: "date",
};

/** A type as SQL calls it. */
export const short = (type: string): string => SHORT[type] ?? (type.startsWith("Timestamp") ? "timestamp" : type.startsWith("Dictionary") ? "text" : type.toLowerCase());

/** A name of the default schema needs no schema before it. */
const written = (schema: string, table: string): string => (schema === "lake" ? table : `${schema}.${table}`);

export function schemaTree({ schemas }: Schema, insert: (name: string) => void): HTMLElement {
  const nothing = el("p", { class: "nothing", hidden: true }, "Nothing is called that.");
  const parts = schemas.map(({ name, tables }) =>
    el("details", { open: name === "lake" || name === "marts", class: "schema" }, el("summary", {}, name, el("span", { class: "count" }, tables.length)),
      el("ul", {}, ...tables.map((table) => tableOf(name, table, insert)))),
  );
  const field = el("input", { type: "search", placeholder: "Find a table or column", "aria-label": "Find a table or column", oninput: () => filter(parts, field.value, nothing) });
  return el("nav", { class: "tree", "aria-label": "Tables" }, field, nothing, ...parts);
}

function tableOf(schema: string, table: Table, insert: (name: string) => void): HTMLElement {
  const put = (name: string, title: string) =>
    el("button", { type: "button", class: "name", title: title || false, onclick: () => insert(name) }, name.slice(name.lastIndexOf(".") + 1));
  const about = [table.description, table.grain && `One row: ${table.grain}`].filter(Boolean).join(" ");
  const columns = table.columns.map((column) =>
    el("li", { "data-name": column.name }, put(column.name, column.description), el("span", { class: "type" }, short(column.type))),
  );
  const inside = el("div", { class: "inside", hidden: true }, about && el("p", { class: "muted" }, about), el("ul", {}, ...columns));
  const opener = el("button", { type: "button", class: "opener", "aria-expanded": "false", "aria-label": `Columns of ${table.name}`, onclick: () => open(opener, inside.hidden) });
  return el("li", { "data-name": table.name }, el("div", { class: "line" }, opener, put(written(schema, table.name), about)), inside);
}

function open(opener: HTMLElement, isOpen: boolean): void {
  opener.setAttribute("aria-expanded", String(isOpen));
  const inside = opener.closest("li")?.querySelector<HTMLElement>(".inside");
  if (inside) inside.hidden = !isOpen;
}

/** A table stays if it or one of its columns is called so; then the columns are shown too. */
function filter(parts: HTMLDetailsElement[], wanted: string, nothing: HTMLElement): void {
  const text = wanted.trim().toLowerCase();
  let any = false;
  for (const part of parts) {
    let found = false;
    for (const table of all(":scope > ul > li", part)) {
      const own = (table.dataset.name ?? "").includes(text);
      let hits = 0;
      for (const column of all("li", table)) {
        const hit = (column.dataset.name ?? "").includes(text);
        column.hidden = !own && !hit;
        if (hit) hits += 1;
      }
      table.hidden = !own && hits === 0;
      const opener = table.querySelector<HTMLElement>(".opener");
      if (opener) open(opener, text !== "" && !own && hits > 0);
      found ||= !table.hidden;
    }
    part.hidden = !found;
    if (text && found) part.open = true;
    any ||= found;
  }
  nothing.hidden = any;
}
