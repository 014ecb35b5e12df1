// A link to what is seen now, for somebody without an account.

import { json, ofOrganizer } from "../api";
import { shareable, tidyState } from "../data/state";
import { el } from "../dom";
import { ask, choice, copied, field } from "./dialog";

interface Share {
  url: string;
  expires_at: string;
}

const DAY = 86_400_000;
const SPANS: [string, string][] = [["1", "a day"], ["7", "a week"], ["30", "30 days"], ["90", "90 days"], ["365", "a year"]];

export function share(organizer: string, page: string, title: string): Promise<boolean> {
  const days = choice("expires_at", SPANS, "30");
  const embed = el("input", { type: "checkbox", name: "may_embed" });
  return ask({
    title: "Share this page",
    about: "Who has the link sees these figures as they move, with what is chosen now, and nothing else: no names of buyers, no other page.",
    fields: [field("It works for", days), el("label", { class: "tick" }, embed, "Other websites may show it in a frame")],
    submit: "Make a link",
    send: async () => {
      const body = {
        page,
        state: shareable(tidyState(new URLSearchParams(location.search))),
        expires_at: new Date(Date.now() + Number(days.value) * DAY).toISOString(),
        may_embed: embed.checked,
      };
      const made = await json<Share>("POST", ofOrganizer(organizer, "dashboard-shares"), { body });
      const until = new Date(made.expires_at).toLocaleString(undefined, { dateStyle: "long", timeStyle: "short" });
      const frame = `<iframe src="${made.url}?embed=1" title="${title.replace(/"/g, "&quot;")}" width="100%" height="720" style="border:0" loading="lazy"></iframe>`;
      return [
        el("p", {}, `Anyone with this link can look until ${until}. It is shown this once.`),
        copied("Link", made.url),
        embed.checked ? copied("Code for a website", frame, 4) : null,
      ];
    },
  });
}
