// A page by e-mail, every day, week or month.

import { json, ofOrganizer } from "../api";
import { el } from "../dom";
import { shareable, tidyState } from "../data/state";
import { ask, choice, field } from "./dialog";
import { people, recipients } from "./people";

export interface Report {
  report_id: string;
  name: string;
  page: string;
  state: string;
  every: "day" | "week" | "month";
  weekday: string | null;
  month_day: number | null;
  at: string;
  timezone: string;
  language: string;
  recipients: { user_id: string; name: string }[];
  paused: boolean;
  next_at: string | null;
  last_sent_at: string | null;
  last_error: string | null;
}

export const WEEKDAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"] as const;
export const capital = (word: string): string => word.charAt(0).toUpperCase() + word.slice(1);

/** What a changed report keeps of what it was. */
export const inputOf = (report: Report) => ({
  name: report.name,
  page: report.page,
  state: report.state,
  every: report.every,
  at: report.at,
  timezone: report.timezone,
  language: report.language,
  recipients: report.recipients.map(({ user_id }) => user_id),
  paused: report.paused,
  ...(report.weekday && { weekday: report.weekday }),
  ...(report.month_day && { month_day: report.month_day }),
});

export async function report(organizer: string, page: string, title: string, known?: Report): Promise<boolean> {
  const name = el("input", { name: "name", required: true, maxlength: 120, value: known?.name ?? title });
  const every = choice(
    "every",
    [
      ["day", "Every day"],
      ["week", "Every week"],
      ["month", "Every month"],
    ],
    known?.every ?? "week",
  );
  const weekday = choice(
    "weekday",
    WEEKDAYS.map((day) => [day, capital(day)]),
    known?.weekday ?? "monday",
  );
  const monthDay = el("input", { name: "month_day", type: "number", min: 1, max: 31, value: known?.month_day ?? 1 });
  const at = el("input", { name: "at", type: "time", required: true, value: known?.at ?? "08:00" });
  const to = await people(organizer, known ? known.recipients.map(({ user_id }) => user_id) : null);
  const [onDay, onMonthDay] = [field("On", weekday), field("On day", monthDay, "The last day, where a month is shorter.")];
  const fit = () => {
    onDay.hidden = every.value !== "week";
    onMonthDay.hidden = every.value !== "month";
  };
  every.addEventListener("change", fit);
  fit();
  return ask({
    title: known ? "Change the report" : "Send this page by e-mail",
    about: "Each mail has the figures of the last whole day, week or month beside those of the one before.",
    fields: [
      field("Name", name),
      el("div", { class: "pair" }, field("How often", every), onDay, onMonthDay, field(`At, on the clocks of ${known?.timezone ?? "the organizer"}`, at)),
      to,
    ],
    submit: known ? "Save" : "Schedule it",
    send: async (form) => {
      const body = {
        name: name.value,
        page: known?.page ?? page,
        state: known?.state ?? shareable(tidyState(new URLSearchParams(location.search))),
        every: every.value,
        at: at.value,
        recipients: recipients(form),
        paused: known?.paused ?? false,
        // Without one it is the organizer's own.
        ...(known && { language: known.language, timezone: known.timezone }),
        ...(every.value === "week" && { weekday: weekday.value }),
        ...(every.value === "month" && { month_day: Number(monthDay.value) }),
      };
      await json(known ? "PUT" : "POST", known ? `/v1/reports/${known.report_id}` : ofOrganizer(organizer, "reports"), { body });
      if (known) return;
      return [
        el(
          "p",
          {},
          "It is scheduled. ",
          el("a", { href: `/dashboards/manage?organizer_id=${organizer}#reports` }, "All reports"),
        ),
      ];
    },
  });
}
