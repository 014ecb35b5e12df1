// FlatBuffers, as far as Arrow's messages need them: tables whose fields are found by a number, or are not there.

export class Table {
  constructor(
    private readonly view: DataView,
    private readonly at: number,
  ) {}

  static root(bytes: Uint8Array): Table {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return new Table(view, view.getUint32(0, true));
  }

  /** Where a field stands; nought if it does not. */
  place(index: number): number {
    const fields = this.at - this.view.getInt32(this.at, true);
    const entry = 4 + 2 * index;
    const offset = entry < this.view.getUint16(fields, true) ? this.view.getUint16(fields + entry, true) : 0;
    return offset === 0 ? 0 : this.at + offset;
  }

  private behind(at: number): number {
    return at + this.view.getUint32(at, true);
  }

  byte(index: number, otherwise = 0): number {
    const at = this.place(index);
    return at ? this.view.getUint8(at) : otherwise;
  }

  short(index: number, otherwise = 0): number {
    const at = this.place(index);
    return at ? this.view.getInt16(at, true) : otherwise;
  }

  int(index: number, otherwise = 0): number {
    const at = this.place(index);
    return at ? this.view.getInt32(at, true) : otherwise;
  }

  long(index: number): number {
    const at = this.place(index);
    return at ? Number(this.view.getBigInt64(at, true)) : 0;
  }

  text(index: number): string {
    const at = this.place(index);
    if (!at) return "";
    const start = this.behind(at);
    const length = this.view.getUint32(start, true);
    return new TextDecoder().decode(new Uint8Array(this.view.buffer, this.view.byteOffset + start + 4, length));
  }

  table(index: number): Table | null {
    const at = this.place(index);
    return at ? new Table(this.view, this.behind(at)) : null;
  }

  tables(index: number): Table[] {
    const at = this.place(index);
    if (!at) return [];
    const start = this.behind(at);
    const count = this.view.getUint32(start, true);
    return Array.from({ length: count }, (_, each) => new Table(this.view, this.behind(start + 4 + 4 * each)));
  }

  /** Structs of whole numbers with 64 bits, `width` of them each. */
  longs(index: number, width: number): number[][] {
    const at = this.place(index);
    if (!at) return [];
    const start = this.behind(at);
    const count = this.view.getUint32(start, true);
    return Array.from({ length: count }, (_, each) =>
      Array.from({ length: width }, (_, part) =>
        Number(this.view.getBigInt64(start + 4 + 8 * (each * width + part), true)),
      ),
    );
  }
}
