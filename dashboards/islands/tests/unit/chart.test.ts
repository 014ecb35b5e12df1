import { parse } from "vega";
import { compile } from "vega-lite";
import { describe, expect, it } from "vitest";
import "../../src/chart/functions";
import { shapeOf, specOf } from "../../src/chart/spec";
import { config } from "../../src/chart/theme";
import { type Facet, facets, next } from "../../src/chart/tidy";
import type { Kind, PanelData } from "../../src/data/panel";
import { at, currency, eventId, netSales, panel, tickets, title } from "./panels";

const theme = {
  series: ["#0f766e", "#b45309"],
  ink: "#000",
  muted: "#555",
  line: "#ddd",
  card: "#fff",
  ramp: ["#eee", "#0f766e"] as [string, string],
  font: "sans-serif",
};
const options = { hrefOf: () => null, locale: "en-GB" };
const only = (data: PanelData): Facet => facets(data, options)[0] as Facet;

describe("facets", () => {
  it("no two currencies share an axis, and amounts are in their main unit", () => {
    const rows = [
      { at: "2026-05-01T00:00:00", currency: "EUR", net_sales: 125_000 },
      { at: "2026-05-01T00:00:00", currency: "JPY", net_sales: 9_000 },
    ];
    const found = facets(panel({ rows }), options);
    expect(found.map(({ title: name, marks }) => [name, marks.map(({ y }) => y)])).toEqual([
      ["EUR", [1_250]],
      ["JPY", [9_000]],
    ]);
  });

  it("amounts and counts have axes of their own", () => {
    const rows = [{ at: "2026-05-01T00:00:00", currency: "EUR", net_sales: 100, tickets_sold: 3 }];
    const found = facets(panel({ columns: [at, currency, netSales, tickets], rows }), options);
    expect(found.map(({ title: name, format }) => [name, format])).toEqual([
      ["EUR · Net sales", "money"],
      ["EUR · Tickets sold", "integer"],
    ]);
  });

  it("a day without sales is a day with none", () => {
    const rows = ["2026-05-01", "2026-05-04"].map((day) => ({ at: `${day}T00:00:00`, tickets_sold: 2 }));
    const { marks, stops } = only(panel({ columns: [at, tickets], rows }));
    expect(marks.map(({ y }) => y)).toEqual([2, 0, 0, 2]);
    expect(stops[1]?.tip).toBe("Sat, 2 May 2026\nTickets sold\t0");
  });

  it("a day without a rate stays open", () => {
    const rate = { ...tickets, name: "rate", format: "percent" as const };
    const rows = ["2026-05-01", "2026-05-04"].map((day) => ({ at: `${day}T00:00:00`, rate: 0.5 }));
    expect(only(panel({ columns: [at, rate], rows })).marks).toHaveLength(2);
  });

  it("series stand on each other, and months differ in length", () => {
    const channel = { ...title, name: "channel" };
    const rows = ["online", "door"].map((each) => ({ at: "2026-02-01T00:00:00", channel: each, tickets_sold: 4 }));
    const { marks } = only(panel({ kind: "area", grain: "month", columns: [at, channel, tickets], rows }));
    expect(marks.map(({ series, base, y }) => [series, base, y])).toEqual([
      ["online", 0, 4],
      ["door", 4, 4],
    ]);
    expect(new Date(next(Date.UTC(2026, 1, 1), "month")).toISOString().slice(0, 10)).toBe("2026-03-01");
  });

  it("days that are left run down to the event", () => {
    const rows = [
      { days_to_event: 30, tickets_sold: 1 },
      { days_to_event: 0, tickets_sold: 9 },
    ];
    const found = only(
      panel({
        columns: [{ ...title, name: "days_to_event", label: "Days left", format: "integer" }, tickets],
        grain: null,
        rows,
      }),
    );
    expect([found.along, found.marks.map(({ x, y }) => [x, y])]).toEqual([
      { label: "Days left", falls: true },
      [
        [30, 1],
        [0, 9],
      ],
    ]);
  });

  it("what is usual comes second and in grey, though it begins first", () => {
    const usual = { ...tickets, name: "usual_tickets_sold", label: "Usual tickets" };
    const rows = [
      { days_to_event: 30, tickets_sold: null, usual_tickets_sold: 1 },
      { days_to_event: 20, tickets_sold: 2, usual_tickets_sold: 3 },
    ];
    const found = only(panel({ columns: [daysLeft, tickets, usual], grain: null, rows }));
    expect([found.series, found.usual]).toEqual([["Tickets sold", "Usual tickets"], ["Usual tickets"]]);
    const spec = JSON.stringify(specOf(shapeOf("line", found, false), theme, 600));
    expect(spec).toContain(`"range":["${theme.series[0]}","${theme.muted}"]`);
    expect(() => compile(JSON.parse(spec) as never, { config: config(theme) })).not.toThrow();
  });

  it("metrics without a dimension are bars of one series", () => {
    const columns = [netSales, { ...netSales, name: "refunded", label: "Refunded", before: null }, currency];
    const found = only(panel({ kind: "bar", grain: null, columns, rows: [{ currency: "EUR", net_sales: 500, refunded: 100 }] }));
    expect([found.series, found.marks.map(({ x, label }) => [x, label])]).toEqual([
      ["Net sales"],
      [
        ["Net sales", "€5.00"],
        ["Refunded", "€1.00"],
      ],
    ]);
  });

  it("a bar is named by what a reader knows, and leads by the id", () => {
    const rows = [
      { title: "Late Quartet", event_id: "e1", tickets_sold: 5 },
      { title: null, event_id: "e2", tickets_sold: 1 },
    ];
    const { marks } = facets(panel({ kind: "bar", columns: [title, eventId, tickets], rows }), {
      hrefOf: (row) => `/${row.event_id}`,
    })[0] as Facet;
    expect(marks.map(({ x, label, href }) => [x, label, href])).toEqual([
      ["Late Quartet", "5", "/e1"],
      ["none", "1", "/e2"],
    ]);
  });

  it("two events of one name are two bars, and two lines", () => {
    const rows = ["e1", "e2"].map((id) => ({ title: "Choir", event_id: id, days_to_event: 3, tickets_sold: 5 }));
    expect(only(panel({ kind: "bar", columns: [title, eventId, tickets], rows })).marks.map(({ x }) => x)).toEqual([
      "Choir",
      "Choir (2)",
    ]);
    expect(only(panel({ columns: [daysLeft, title, eventId, tickets], grain: null, rows })).series).toEqual([
      "Choir",
      "Choir (2)",
    ]);
  });

  it("steps of a funnel say which part of the first has come so far", () => {
    const steps = [
      ["visits", "Visits"],
      ["holds", "Holds"],
      ["paid", "Paid"],
    ].map(([name, label]) => ({ ...tickets, name: name as string, label: label as string }));
    const { marks } = only(panel({ kind: "funnel", columns: steps, rows: [{ visits: 200, holds: 50, paid: 20 }] }));
    expect(marks.map(({ x, label }) => [x, label])).toEqual([
      ["Visits", "200"],
      ["Holds", "50  ·  25%"],
      ["Paid", "20  ·  10%"],
    ]);
    expect(marks[2]?.tip).toContain("Of the step before\t40%");
  });
});

const daysLeft = { ...title, name: "days_to_event", label: "Days to the event", format: "integer" as const };

describe("specifications", () => {
  const rows = [
    {
      at: "2026-05-01T00:00:00",
      title: "Late Quartet",
      hour: "20",
      currency: "EUR",
      net_sales: 100,
      net_sales_before: 80,
      tickets_sold: 2,
    },
    {
      at: "2026-05-02T00:00:00",
      title: "Early Duo",
      hour: "21",
      currency: "EUR",
      net_sales: 200,
      net_sales_before: 90,
      tickets_sold: 3,
    },
  ];
  const hour = { ...title, name: "hour" };
  const each: [Kind, PanelData][] = [
    ["line", panel({ rows })],
    ["area", panel({ kind: "area", columns: [at, title, tickets], rows })],
    ["bar", panel({ kind: "bar", columns: [at, tickets], rows })],
    ["bar", panel({ kind: "bar", columns: [title, currency, netSales], rows })],
    [
      "line",
      panel({
        columns: [daysLeft, title, tickets],
        grain: null,
        rows: [
          { days_to_event: 9, title: "a", tickets_sold: 1 },
          { days_to_event: 2, title: "a", tickets_sold: 4 },
        ],
      }),
    ],
    ["heatmap", panel({ kind: "heatmap", columns: [at, { ...title, name: "hour", format: "integer" }, tickets], rows })],
    ["heatmap", panel({ kind: "heatmap", columns: [title, hour, tickets], rows })],
    ["funnel", panel({ kind: "funnel", columns: [tickets, { ...tickets, name: "net_sales" }], rows: rows.slice(0, 1) })],
  ];

  it.each(each)("a %s is one that Vega can draw without making code of text", (kind, data) => {
    const warnings: string[] = [];
    const warn = (...text: unknown[]) => (warnings.push(text.join(" ")), logger);
    const logger = { warn, info: () => logger, debug: () => logger, error: warn, level: () => logger };
    const facet = only(data);
    const { spec } = compile(specOf(shapeOf(kind, facet, false), theme, 600), { config: config(theme), logger: logger as never });
    expect(warnings.filter((text) => !text.includes("fit-y"))).toEqual([]);
    expect(() => parse(spec, undefined, { ast: true })).not.toThrow();
  });

  it("what is compared with is dashed", () => {
    const spec = JSON.stringify(specOf(shapeOf("line", only(panel({ rows })), false), theme, 600));
    expect(spec).toContain('"strokeDash":[4,4]');
  });

  it("areas of a day or two are bars, which can be seen", () => {
    const shape = (count: number) => {
      const each = Array.from({ length: count }, (_, day) => ({ at: `2026-05-0${day + 1}T00:00:00`, tickets_sold: 2 }));
      return shapeOf("area", only(panel({ kind: "area", columns: [at, tickets], rows: each })), false);
    };
    expect([1, 2, 3].map((count) => shape(count).kind)).toEqual(["bar", "bar", "area"]);
    expect(JSON.stringify(specOf(shape(1), theme, 600))).toContain('"rect"');
  });

  it("a point that no line leads to is one that can be seen", () => {
    const steps = Array.from({ length: 60 }, (_, day) => ({ days_to_event: day, title: "a", tickets_sold: day }));
    const data = (more: typeof steps) =>
      panel({ columns: [daysLeft, title, tickets], grain: null, rows: [...steps, ...more] });
    const spec = (more: typeof steps) => JSON.stringify(specOf(shapeOf("line", only(data(more)), false), theme, 600));
    expect(spec([])).not.toContain('"joinaggregate"');
    const lonely = spec([{ days_to_event: 3, title: "b", tickets_sold: 1 }]);
    expect(lonely).toContain('"joinaggregate"');
    expect(() => compile(JSON.parse(lonely) as never, { config: config(theme) })).not.toThrow();
  });

  it("new marks of the same form leave the chart as it is", () => {
    const days = (count: number) =>
      panel({
        rows: Array.from({ length: count }, (_, day) => ({
          ...rows[0]!,
          at: `2026-05-${String(day + 1).padStart(2, "0")}T00:00:00`,
        })),
      });
    const [one, other] = [only(days(10)), only(days(11))];
    expect(shapeOf("line", one, false)).toEqual(shapeOf("line", other, false));
  });
});
