// The columns of an Arrow schema, as far as this page reads them.

import type { Table } from "./flat";

export type Unit = 0 | 1 | 2 | 3;

export type Type =
  | { is: "null" | "bool" | "struct" }
  | { is: "int"; bits: number; signed: boolean }
  | { is: "float"; bits: number }
  | { is: "decimal"; bits: number; scale: number }
  | { is: "text" | "binary"; wide: boolean; views: boolean }
  | { is: "fixed"; width: number }
  | { is: "date"; bits: number }
  | { is: "time" | "duration"; bits: number; unit: Unit }
  | { is: "timestamp"; bits: number; unit: Unit; zoned: boolean }
  | { is: "interval"; unit: Unit }
  | { is: "list"; wide: boolean }
  | { is: "fixed-list"; size: number }
  | { is: "map" };

export interface Field {
  name: string;
  type: Type;
  children: Field[];
  /** Values stand in a dictionary, and the column has places in it. */
  dictionary: { id: number; index: Type } | null;
}

const int = (table: Table | null): Type => ({ is: "int", bits: table?.int(0) || 32, signed: (table?.byte(1) ?? 1) !== 0 });

export function fieldOf(table: Table): Field {
  const [encoding, name] = [table.table(4), table.text(0)];
  return {
    name,
    type: typeOf(table.byte(2), table.table(3), name),
    children: table.tables(5).map(fieldOf),
    dictionary: encoding && { id: encoding.long(0), index: int(encoding.table(1)) },
  };
}

/** The numbers are those of `Type` in Arrow's Schema.fbs. */
function typeOf(kind: number, of: Table | null, name: string): Type {
  const unit = (otherwise: Unit) => (of?.short(0, otherwise) ?? otherwise) as Unit;
  switch (kind) {
    case 1:
      return { is: "null" };
    case 2:
      return int(of);
    case 3:
      return { is: "float", bits: [16, 32, 64][of?.short(0) ?? 0] ?? 64 };
    case 4:
    case 19:
    case 23:
      return { is: "binary", wide: kind === 19, views: kind === 23 };
    case 5:
    case 20:
    case 24:
      return { is: "text", wide: kind === 20, views: kind === 24 };
    case 6:
      return { is: "bool" };
    case 7:
      return { is: "decimal", bits: of?.int(2, 128) ?? 128, scale: of?.int(1) ?? 0 };
    case 8:
      return { is: "date", bits: unit(1) === 0 ? 32 : 64 };
    case 9:
      return { is: "time", bits: of?.int(1, 32) ?? 32, unit: unit(1) };
    case 10:
      return { is: "timestamp", bits: 64, unit: unit(0), zoned: (of?.text(1) ?? "") !== "" };
    case 11:
      return { is: "interval", unit: unit(0) };
    case 12:
    case 21:
      return { is: "list", wide: kind === 21 };
    case 13:
      return { is: "struct" };
    case 15:
      return { is: "fixed", width: of?.int(0) ?? 0 };
    case 16:
      return { is: "fixed-list", size: of?.int(0) ?? 0 };
    case 17:
      return { is: "map" };
    case 18:
      return { is: "duration", bits: 64, unit: unit(1) };
    default:
      throw new Error(`The column “${name}” is of a kind that this page can't show. Cast it to text.`);
  }
}
