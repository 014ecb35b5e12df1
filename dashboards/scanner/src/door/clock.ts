// The server's time on a device whose clock is wrong: scans that come late are put in order by it.

/** `Date` in an answer has whole seconds and was on its way; what is less than this is no error of the clock. */
const TOLERATED_MS = 3_000;

let behind = 0;

export function serverSaid(date: string | null): void {
  const difference = date === null ? Number.NaN : Date.parse(date) - Date.now();
  if (!Number.isNaN(difference)) behind = Math.abs(difference) > TOLERATED_MS ? difference : 0;
}

export const now = (): Date => new Date(Date.now() + behind);
