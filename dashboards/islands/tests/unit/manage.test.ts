import { expect, it } from "vitest";
import { canBeMeasured } from "../../src/dialogs/alert";
import { chosen, filtersOf, moodOf, only } from "../../src/manage/said";

const ID = "01a21d67-034b-7013-bc53-715ad3ad46fb";

it("an alert that can't be checked is failing, whatever it was before", () => {
  expect(moodOf({ paused: false, state: "ok", last_error: null })).toEqual(["as it should be", "good"]);
  expect(moodOf({ paused: false, state: "ok", last_error: "no such event" })).toEqual(["failing", "bad"]);
  expect(moodOf({ paused: false, state: "firing", last_error: "no such event" })).toEqual(["failing", "bad"]);
  expect(moodOf({ paused: true, state: "paused", last_error: "no such event" })).toEqual(["paused", ""]);
});

it("what is counted a day is measured by days, and whether it is unusual by whole ones", () => {
  const windows = ["last_hour", "today", "last_24_hours", "last_7_days"];
  const by = (condition: string, minutes?: boolean) => windows.map((each) => canBeMeasured(each, condition, { minutes }));
  expect(by("unusual", true)).toEqual([true, true, true, true]);
  expect(by("below", false)).toEqual([false, true, false, true]);
  expect(by("unusually_low", false)).toEqual([false, false, false, true]);
});

it("what is filtered by is said in words, an event by its title", () => {
  const state = `filter.event_id=${ID}&filter.channel=online&filter.channel=&range=30d`;
  expect(chosen(state, new Map([[ID, "Late Quartet"]]))).toBe(
    "only event: Late Quartet; only channel: online, none; range: 30d",
  );
  expect(only(filtersOf(`filter.event_id=${ID}`), new Map())).toBe("only event: …d3ad46fb");
  expect(only([{ dimension: "ticket_type", in: ["Early bird", null] }], new Map())).toBe("only ticket type: Early bird, none");
  expect(only([{ dimension: "title", in: ["x".repeat(100_000)] }], new Map()).length).toBeLessThan(100);
  expect(only([{ dimension: "gate", in: Array.from({ length: 12 }, String) }], new Map())).toMatch(/ and 2 more$/);
  expect(chosen("", new Map())).toBe("");
});
