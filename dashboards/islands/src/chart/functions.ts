// What the expressions of our charts call: numbers and times are written here as everywhere on the page.

import { expressionFunction } from "vega";
import { brief, shortened, tick } from "../data/format";
import type { Format } from "../data/panel";

expressionFunction("briefly", (value: number, format: Format, currency: string, decimals: number) =>
  brief(value, format, { currency: currency === "" ? null : currency, decimals: { [currency]: decimals } }),
);
expressionFunction("ticked", (at: number | Date, inMonths: boolean) => tick(Number(at), inMonths));
expressionFunction("shortened", shortened);
