// The colours of the charts are those of the page: the style sheet has them, for the light and for the dark.

export interface Theme {
  series: string[];
  ink: string;
  muted: string;
  line: string;
  card: string;
  ramp: [string, string];
  font: string;
}

export const SERIES = 8;

/** A colour of the style sheet may be one of two. The browser says which, of an element that has it. */
export function themeOf(host: Element): Theme {
  const probe = host.appendChild(document.createElement("span"));
  probe.hidden = true;
  const read = (name: string) => {
    probe.style.color = `var(${name})`;
    return getComputedStyle(probe).color;
  };
  const theme: Theme = {
    series: Array.from({ length: SERIES }, (_, index) => read(`--series-${index + 1}`)),
    ink: read("--ink"),
    muted: read("--muted"),
    line: read("--line"),
    card: read("--card"),
    ramp: [read("--ramp-low"), read("--ramp-high")],
    font: getComputedStyle(host).fontFamily,
  };
  probe.remove();
  return theme;
}

/** Vega's settings: quiet axes, no frame, and no second description for screen readers beside the host's own. */
export const config = ({ ink, muted, line, font, series }: Theme) => ({
  aria: false,
  background: "transparent",
  font,
  padding: { left: 0, right: 12, top: 7, bottom: 2 },
  view: { stroke: null },
  axis: {
    labelColor: muted, labelFontSize: 12, labelPadding: 6, titleColor: muted, titleFontWeight: 500 as const, titleFontSize: 12,
    domain: false, ticks: false, gridColor: line, gridOpacity: 0.8, title: null,
  },
  axisX: { grid: false, labelFlush: false, labelOverlap: true },
  axisY: { tickCount: 4 },
  legend: { labelColor: ink, labelFontSize: 12, symbolSize: 90, orient: "top" as const, title: null, offset: 8, rowPadding: 4, columnPadding: 14 },
  text: { color: ink, fontSize: 12 },
  range: { category: series },
});
