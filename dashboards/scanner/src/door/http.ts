// One request to the server, and what can become of it.

import { serverSaid } from "./clock";
import { Refused, Revoked, Unreachable } from "./server";

/** What a proxy or an overloaded server answers: not a word on what was asked. */
const ANOTHER_TIME = new Set([408, 421, 425, 429]);

export type Call = <T>(method: "GET" | "POST" | "DELETE", path: string, body?: unknown, patienceMs?: number) => Promise<T>;

export const caller =
  (token: string): Call =>
  async <T>(method: string, path: string, body?: unknown, patienceMs = 15_000) => {
    const response = await fetched(path, {
      method,
      headers: {
        accept: "application/json",
        authorization: `Bearer ${token}`,
        ...(body !== undefined && { "content-type": "application/json" }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      // A session cookie of the start page is not this device's.
      credentials: "omit",
      cache: "no-store",
      signal: AbortSignal.timeout(patienceMs),
    });
    serverSaid(response.headers.get("date"));
    if (response.status === 401) throw new Revoked();
    if (response.status >= 500 || ANOTHER_TIME.has(response.status)) throw new Unreachable();
    const text = await response.text().catch(() => {
      throw new Unreachable();
    });
    if (!response.ok) throw new Refused(said(text), response.status, code(text));
    return (text ? parsed(text) : undefined) as T;
  };

async function fetched(path: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(path, init);
  } catch {
    throw new Unreachable();
  }
}

/** An answer that is no JSON is not the server's: a network that wants a log-in answers everything with a page. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Unreachable();
  }
}

const problem = (text: string): { code?: string; detail?: string; title?: string } => parsed(text) as object;
const said = (text: string): string => problem(text).detail ?? problem(text).title ?? "";
const code = (text: string): string => problem(text).code ?? "";
