import { describe, expect, it } from "vitest";
import { drilled, shareable, tidyState, withFilter, withoutFilter } from "../../src/data/state";
import { becauseOf, told } from "../../src/live";

const state = (text: string) => tidyState(new URLSearchParams(text));

describe("the state of a page", () => {
  it("is the same text for the same view", () => {
    expect(state("compare=year&range=30d&x=1").toString()).toBe(state("range=30d&compare=year&compare=year").toString());
  });

  it("days that were chosen take the place of a range", () => {
    expect(state("range=30d&from=2026-05-01&to=2026-06-01").toString()).toBe("from=2026-05-01&to=2026-06-01");
    expect(state("range=30d&from=&to=").toString()).toBe("range=30d");
    expect(state("range=custom&from=2026-05-01&filter.channel=*").toString()).toBe("from=2026-05-01");
  });

  it("a filter may ask for rows without a value", () => {
    const found = withFilter(state("range=7d"), "channel", ["online", ""]);
    expect(found.toString()).toBe("filter.channel=online&filter.channel=&range=7d");
    expect(withoutFilter(found, "channel", "").toString()).toBe("filter.channel=online&range=7d");
  });

  it("a share keeps what is seen, and not whose it is", () => {
    expect(shareable(state("organizer_id=o1&range=7d&filter.channel=online"))).toBe("filter.channel=online&range=7d");
  });

  it("a click leads where the panel says; on the same page all that was chosen stays", () => {
    const here = state("range=7d&filter.channel=online&organizer_id=o1");
    expect(drilled({ page: "event", by: "event_id" }, { event_id: "e1" }, "overview", here)).toBe(
      "/dashboards/event?filter.event_id=e1&organizer_id=o1",
    );
    expect(drilled({ by: "channel" }, { channel: null }, "overview", here)).toBe(
      "/dashboards/overview?filter.channel=&organizer_id=o1&range=7d",
    );
    expect(drilled({ by: "channel" }, {}, "overview", here)).toBeNull();
    expect(drilled(null, {}, "overview", here)).toBeNull();
  });
});

it("the page says how old its figures are when they do not move", () => {
  expect(told("live", 0)).toBe("live");
  expect(told("reconnecting", 3)).toBe("reconnecting… figures are 3 s old");
  expect(told("reconnecting", 12)).toBe("no connection, figures are 12 s old");
  expect(told("paused", 125)).toBe("paused, figures are 2 min old");
});

it("the page says why it is refused, and who waits in vain is not told to wait", () => {
  expect([401, 403, 404, 429, 503, 500, 200].map(becauseOf)).toEqual([
    "out",
    "gone",
    "gone",
    "full",
    "full",
    "reconnecting",
    "reconnecting",
  ]);
  expect(told("full", 75)).toBe("too many pages are open; figures are 1 min old");
  expect(told("gone", 75)).toBe("you may no longer see this");
  expect(told("out", 75)).toBe("you are logged out");
});
