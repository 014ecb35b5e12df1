import { expect, it } from "vitest";
import { Glance } from "../../src/door/glance";

it("takes a code that stays in sight once, and again after it was gone", () => {
  const glance = new Glance();
  expect(glance.isNew("a", 0)).toBe(true);
  for (let now = 100; now < 10_000; now += 500) expect(glance.isNew("a", now)).toBe(false);
  expect(glance.isNew("b", 10_000)).toBe(true);
  expect(glance.isNew("b", 12_500)).toBe(true);
});

it("waits for the next ticket while a verdict stands, and takes it then", () => {
  const glance = new Glance();
  glance.isNew("a", 0);
  for (let now = 500; now <= 5_000; now += 500) glance.stillSees("a", now);
  expect(glance.stillSees("b", 5_100)).toBe(false);
  expect(glance.isNew("a", 5_200)).toBe(false);
  expect(glance.isNew("b", 5_300)).toBe(true);
});
