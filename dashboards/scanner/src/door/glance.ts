/** A code that the camera goes on seeing is one scan. It is another one when it was out of sight for so long. */
const OUT_OF_SIGHT_MS = 2_000;

export class Glance {
  private code = "";
  private last = Number.NEGATIVE_INFINITY;

  isNew(code: string, now: number): boolean {
    const same = this.stillSees(code, now);
    [this.code, this.last] = [code, now];
    return !same;
  }

  /** For as long as nothing new is looked at. */
  stillSees(code: string, now: number): boolean {
    const same = code === this.code && now - this.last < OUT_OF_SIGHT_MS;
    if (same) this.last = now;
    return same;
  }
}
