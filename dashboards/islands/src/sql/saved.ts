// Questions that are kept: one's own, and those that others share. The server keeps them.

import { Refused, json, list, ofOrganizer } from "../api";
import { ask, confirmed, field } from "../dialogs/dialog";
import { el } from "../dom";
import type { Charted } from "./chart";

export interface Saved {
  saved_question_id: string;
  name: string;
  description: string;
  sql: string;
  chart: Charted | null;
  shared: boolean;
  mine: boolean;
  owner: { name: string | null };
  updated_at: string;
}

type Draft = { sql: string; chart: Charted | null };

export class Questions {
  private open: Saved | null = null;

  constructor(
    private readonly host: HTMLElement,
    private readonly organizer: string,
    private readonly use: (saved: Saved) => void,
  ) {}

  /** False where the server keeps none. */
  async draw(): Promise<boolean> {
    if (!this.organizer) return false;
    try {
      const found = await list<Saved>(ofOrganizer(this.organizer, "saved-questions"));
      const rows = found.map((each) => this.row(each));
      this.host.replaceChildren(
        rows.length > 0
          ? el("ul", { class: "asked-list" }, ...rows)
          : el("p", { class: "nothing" }, "None is kept yet. “Save” keeps the one in the editor."),
      );
      return true;
    } catch (error) {
      if (error instanceof Refused && error.status === 404) return false;
      this.host.replaceChildren(el("p", { class: "trouble" }, error instanceof Error ? error.message : String(error)));
      return true;
    }
  }

  private row(saved: Saved): HTMLElement {
    const use = () => {
      this.open = saved;
      this.use(saved);
    };
    const remove = () =>
      confirmed(`Delete “${saved.name}”?`, saved.shared ? "Others lose it too." : "It can't be taken back.", "Delete", () =>
        json("DELETE", `/v1/saved-questions/${saved.saved_question_id}`),
      ).then(() => this.draw());
    const whose = saved.mine ? (saved.shared ? "shared" : "") : `by ${saved.owner.name ?? "a colleague"}`;
    return el(
      "li",
      {},
      el(
        "button",
        { type: "button", class: "name", title: saved.description || saved.sql, onclick: use },
        saved.name,
        whose && el("span", { class: "muted" }, whose),
      ),
      saved.mine &&
        el("button", { type: "button", class: "icon", "aria-label": `Delete ${saved.name}`, onclick: () => void remove() }, "×"),
    );
  }

  async save(draft: Draft): Promise<void> {
    const known = this.open?.mine ? this.open : null;
    const name = el("input", { name: "name", required: true, maxlength: 120, value: known?.name ?? "" });
    const description = el("input", { name: "description", maxlength: 300, value: known?.description ?? "" });
    const shared = el("input", { type: "checkbox", name: "shared", checked: known?.shared ?? false });
    const anew = el("input", { type: "checkbox", name: "anew" });
    await ask({
      title: "Save the question",
      fields: [
        field("Name", name),
        field("What it tells", description),
        el("label", { class: "tick" }, shared, "Everybody here may use it"),
        known && el("label", { class: "tick" }, anew, `Keep “${known.name}” as it is, and make another one`),
      ],
      submit: "Save",
      send: async () => {
        const change = known && !anew.checked;
        const body = {
          updated_at: change ? known.updated_at : null,
          name: name.value,
          description: description.value,
          sql: draft.sql,
          chart: draft.chart,
          shared: shared.checked,
        };
        this.open = await json<Saved>(
          change ? "PUT" : "POST",
          change ? `/v1/saved-questions/${known.saved_question_id}` : ofOrganizer(this.organizer, "saved-questions"),
          { body },
        );
      },
    });
    await this.draw();
  }
}
