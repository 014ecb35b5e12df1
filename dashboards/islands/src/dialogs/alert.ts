// A rule that writes a mail when a metric is where it should not be.

import { json, ofOrganizer } from "../api";
import { placesOf } from "../data/format";
import { el } from "../dom";
import { ask, choice, field } from "./dialog";
import { people, recipients } from "./people";

export interface AlertRule {
  alert_rule_id: string;
  name: string;
  metric: string;
  filters: { dimension: string; in: (string | null)[] }[];
  currency: string | null;
  time_window: string;
  condition: string;
  threshold: number;
  quiet_minutes: number;
  language: string;
  recipients: { user_id: string; name: string }[];
  paused: boolean;
  state: "new" | "ok" | "firing" | "too_little_history" | "paused";
  since: string | null;
  last_value: number | null;
  usual: number | null;
  last_checked_at: string | null;
  last_error: string | null;
}

export interface Metric {
  name: string;
  label: string;
  format: string;
  minutes?: boolean;
  days?: boolean;
}

export const WINDOWS: Record<string, string> = {
  last_hour: "in the last hour",
  today: "today",
  last_24_hours: "in the last 24 hours",
  last_7_days: "in the last 7 whole days",
};
export const CONDITIONS: Record<string, string> = {
  above: "is above",
  below: "is below",
  unusual: "is unusual by more than",
  unusually_high: "is unusually high, by more than",
  unusually_low: "is unusually low, by more than",
};

export const inputOf = (rule: AlertRule) => ({
  name: rule.name,
  metric: rule.metric,
  filters: rule.filters,
  currency: rule.currency,
  time_window: rule.time_window,
  condition: rule.condition,
  threshold: rule.threshold,
  quiet_minutes: rule.quiet_minutes,
  language: rule.language,
  recipients: rule.recipients.map(({ user_id }) => user_id),
  paused: rule.paused,
});

let known: Promise<Metric[]> | undefined;

export const metrics = (): Promise<Metric[]> =>
  (known ??= json<{ items?: Metric[]; metrics?: Metric[] } | Metric[]>("GET", "/v1/metrics").then((found) =>
    Array.isArray(found) ? found : (found.items ?? found.metrics ?? []),
  ));

/** Whether a metric can be looked at so: what is counted a day has no hours, and a day that has begun is no match for whole ones. */
export const canBeMeasured = (window: string, condition: string, { minutes = true }: Pick<Metric, "minutes">): boolean =>
  minutes || window === "last_7_days" || (window === "today" && !condition.startsWith("unusual"));

/** A threshold as it is kept, and as people write it: minor units and ratios are not for people. */
export function scaleOf(condition: string, format: string, currency: string): number {
  if (condition.startsWith("unusual")) return 1;
  return format === "money" ? 10 ** placesOf(currency) : format === "percent" ? 0.01 : 1;
}

export function unitOf(condition: string, format: string, currency: string): string {
  if (condition.startsWith("unusual") || format === "percent") return "%";
  return format === "money" ? currency : format === "duration" ? "seconds" : "";
}

export async function alertRule(
  organizer: string,
  metric: string | null,
  currencies: string[],
  rule?: AlertRule,
): Promise<boolean> {
  // What is of all time has no last hour and no last day.
  const found = (await metrics()).filter(({ days }) => days !== false);
  const select = choice(
    "metric",
    found.map(({ name, label }) => [name, label]),
    rule?.metric ?? metric ?? undefined,
  );
  const condition = choice("condition", Object.entries(CONDITIONS), rule?.condition ?? "below");
  const span = choice("time_window", Object.entries(WINDOWS), rule?.time_window ?? "today");
  const currency = el("input", {
    name: "currency",
    maxlength: 3,
    size: 4,
    pattern: "[A-Z]{3}",
    value: rule?.currency ?? currencies[0] ?? "EUR",
  });
  const threshold = el("input", { name: "threshold", type: "number", step: "any", required: true });
  const name = el("input", { name: "name", required: true, maxlength: 120, value: rule?.name ?? "" });
  const quiet = el("input", { name: "quiet_minutes", type: "number", min: 1, max: 1440, value: rule?.quiet_minutes ?? 30 });
  const to = await people(organizer, rule ? rule.recipients.map(({ user_id }) => user_id) : null);
  const chosen = () => found.find((each) => each.name === select.value);
  const format = () => chosen()?.format ?? "integer";
  const scale = () => scaleOf(condition.value, format(), currency.value);
  if (rule) threshold.value = String(rule.threshold / scale());
  const inCurrency = field("Currency", currency);
  const limit = field("Limit", threshold);
  const fit = () => {
    inCurrency.hidden = format() !== "money";
    for (const each of span.options) each.disabled = !canBeMeasured(each.value, condition.value, chosen() ?? {});
    if (span.selectedOptions[0]?.disabled) span.value = "last_7_days";
    const unit = unitOf(condition.value, format(), currency.value);
    const label = limit.querySelector("label");
    if (label)
      label.textContent = condition.value.startsWith("unusual") ? "Difference, in %" : unit ? `Limit, in ${unit}` : "Limit";
    if (!rule && !name.dataset.own)
      name.value =
        `${chosen()?.label ?? ""} ${CONDITIONS[condition.value]?.split(",")[0] ?? ""}`.replace(
          / by more than$/,
          "",
        );
  };
  for (const each of [select, condition, currency]) each.addEventListener("change", fit);
  name.addEventListener("input", () => (name.dataset.own = "1"));
  fit();
  return ask({
    title: rule ? "Change the alert" : "Alert me",
    about: "It is checked every minute. What is unusual is measured against the same hours and weekday of the last eight weeks.",
    fields: [
      el("div", { class: "pair" }, field("When", select), field("Measured", span)),
      el("div", { class: "pair" }, field("It", condition), limit, inCurrency),
      el("div", { class: "pair" }, field("Name", name), field("Quiet after, minutes", quiet)),
      to,
    ],
    submit: rule ? "Save" : "Make it",
    send: async (form) => {
      const body = {
        name: name.value,
        metric: select.value,
        filters: rule?.filters ?? [],
        currency: format() === "money" ? currency.value : null,
        time_window: span.value,
        condition: condition.value,
        threshold: Math.round(Number(threshold.value) * scale() * 1e6) / 1e6,
        quiet_minutes: Number(quiet.value),
        recipients: recipients(form),
        paused: rule?.paused ?? false,
        ...(rule && { language: rule.language }),
      };
      await json(rule ? "PUT" : "POST", rule ? `/v1/alert-rules/${rule.alert_rule_id}` : ofOrganizer(organizer, "alert-rules"), {
        body,
      });
      if (rule) return;
      return [
        el(
          "p",
          {},
          "It is watched from now on. ",
          el("a", { href: `/dashboards/manage?organizer_id=${organizer}#alerts` }, "All alerts"),
        ),
      ];
    },
  });
}
