// What was asked before, on this device, by this person.

export interface Asked {
  sql: string;
  at: number;
  rows: number | null;
  took: number;
}

const MOST = 100;
const DRAFT = "draft";

/** The latest first; a question that is asked again moves up. */
export const remembered = (known: Asked[], asked: Asked): Asked[] =>
  [asked, ...known.filter(({ sql }) => sql.trim() !== asked.sql.trim())].slice(0, MOST);

export class History {
  constructor(private readonly user: string) {}

  private key(what: string): string {
    return `bilten-sql-${what}:${this.user}`;
  }

  get items(): Asked[] {
    try {
      return JSON.parse(localStorage.getItem(this.key("history")) ?? "[]") as Asked[];
    } catch {
      return [];
    }
  }

  add(asked: Asked): void {
    this.keep("history", JSON.stringify(remembered(this.items, asked)));
  }

  clear(): void {
    localStorage.removeItem(this.key("history"));
  }

  get draft(): string | null {
    return localStorage.getItem(this.key(DRAFT));
  }

  set draft(text: string) {
    this.keep(DRAFT, text);
  }

  private keep(what: string, text: string): void {
    try {
      localStorage.setItem(this.key(what), text);
    } catch {
      // Full, or forbidden: the page works without.
    }
  }
}
