import { expect, it } from "vitest";
import { base64url, uuid7, uuidText } from "../../src/door/bytes";

it("reads base64url as strictly as the server", () => {
  expect(base64url("AQID")).toEqual(Uint8Array.of(1, 2, 3));
  expect(base64url("AQI")).toEqual(Uint8Array.of(1, 2));
  for (const wrong of ["A", "AQI=", "AQJ", "AQ+D", "AQ D"]) expect(base64url(wrong), wrong).toBeNull();
});

it("makes ids that are UUIDv7 and differ", () => {
  const made = new Set(Array.from({ length: 100 }, uuid7));
  expect(made.size).toBe(100);
  for (const id of made) expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  expect(uuidText(new Uint8Array(16))).toBeNull();
});
