// Who gets a report or an alert: members, by their names.

import { list, ofOrganizer, whoIsHere } from "../api";
import { type Child, all, el } from "../dom";

interface Member {
  user_id: string;
  name?: string | null;
  email?: string;
  active?: boolean;
}

/** Boxes to tick; the reader's own is ticked at first. Who may not see the members writes addresses. */
export async function people(organizer: string, chosen: string[] | null): Promise<Child> {
  const me = await whoIsHere();
  const members = await list<Member>(ofOrganizer(organizer, "members")).catch(() => []);
  const known = members.filter(({ active }) => active !== false);
  if (known.length === 0) {
    const value = (chosen ?? [me.email ?? ""]).join(", ");
    return el("div", { class: "field" }, el("label", { for: "recipients" }, "To"),
      el("input", { id: "recipients", name: "recipients", value, required: true, autocomplete: "email" }),
      el("small", {}, "E-mail addresses of members, with commas between them."));
  }
  const ticked = (member: Member) => (chosen ? chosen.includes(member.user_id) : member.user_id === me.memberships?.[0]?.user_id || member.email === me.email);
  const boxes = known.map((member) =>
    el("label", { class: "tick" }, el("input", { type: "checkbox", name: "recipients", value: member.user_id, checked: ticked(member) }), member.name ?? member.email ?? member.user_id),
  );
  return el("fieldset", { class: "field people" }, el("legend", {}, "To"), ...boxes);
}

export function recipients(form: HTMLFormElement): string[] {
  const fields = all<HTMLInputElement>("[name=recipients]", form);
  const ticked = fields.filter(({ type, checked }) => type !== "checkbox" || checked);
  return ticked.flatMap(({ value }) => value.split(",").map((each) => each.trim()).filter(Boolean));
}
