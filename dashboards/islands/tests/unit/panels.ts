// Panels as the server sends them.

import type { Column, PanelData } from "../../src/data/panel";

export const netSales: Column = { name: "net_sales", label: "Net sales", role: "metric", format: "money", good: "up", before: "net_sales_before" };
export const tickets: Column = { name: "tickets_sold", label: "Tickets sold", role: "metric", format: "integer", good: "up" };
export const at: Column = { name: "at", label: "Day", role: "time", format: "day" };
export const currency: Column = { name: "currency", label: "Currency", role: "dimension", format: "text" };
export const title: Column = { name: "title", label: "Event", role: "dimension", format: "text" };
export const eventId: Column = { name: "event_id", label: "Event id", role: "dimension", format: "text" };

export const panel = (over: Partial<PanelData>): PanelData => ({
  id: "sales", title: "Net sales", kind: "line", description: "Net sales a day", columns: [at, currency, netSales], grain: "day", rows: [],
  decimals: { EUR: 2, JPY: 0 }, drill: null, position: 1, error: null, ...over,
});
