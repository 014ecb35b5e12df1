// The HTTP API. A session lives in a cookie that scripts can't read; what it changes needs the token beside it.

/** The server refused, and said why. */
export class Refused extends Error {
  constructor(why: string, readonly status: number, readonly code?: string, readonly pointer?: string) {
    super(why);
  }
}

export interface Session {
  name?: string | null;
  email?: string;
  csrf_token: string;
  memberships?: { user_id: string }[];
}

let session: Promise<Session> | undefined;

/** Who is logged in. Asked once a page. */
export const whoIsHere = (): Promise<Session> => (session ??= json<Session>("GET", "/v1/session"));

const sentence = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

interface Ask {
  body?: unknown;
  accept?: string;
  signal?: AbortSignal;
}

export async function call(method: string, path: string, { body, accept = "application/json", signal }: Ask = {}): Promise<Response> {
  const headers: Record<string, string> = { Accept: accept };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (method !== "GET") headers["X-CSRF-Token"] = (await whoIsHere()).csrf_token;
  const response = await fetch(path, { method, headers, ...(body !== undefined && { body: JSON.stringify(body) }), ...(signal && { signal }) });
  if (response.ok) return response;
  const problem = (await response.json().catch(() => ({}))) as { detail?: string; title?: string; code?: string; pointer?: string };
  const why = sentence(problem.detail ?? problem.title ?? `the server answered ${response.status}`);
  throw new Refused(why, response.status, problem.code, problem.pointer);
}

export async function json<Answer>(method: string, path: string, ask: Ask = {}): Promise<Answer> {
  const response = await call(method, path, ask);
  return (response.status === 204 ? undefined : await response.json()) as Answer;
}

/** A whole list, page by page, or as much of it as is good for a page. */
export async function list<Item>(path: string, most = 1_000): Promise<Item[]> {
  const found: Item[] = [];
  let cursor: string | null = null;
  do {
    const query: string = `limit=200${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ""}`;
    const page: { items: Item[]; next_cursor?: string | null } = await json("GET", `${path}${path.includes("?") ? "&" : "?"}${query}`);
    found.push(...page.items);
    cursor = page.next_cursor ?? null;
  } while (cursor && found.length < most);
  return found;
}

export const ofOrganizer = (organizer: string, what: string): string => `/v1/organizers/${encodeURIComponent(organizer)}/${what}`;
