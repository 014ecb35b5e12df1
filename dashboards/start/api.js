// The HTTP API. A session lives in a cookie that scripts can't read; what it changes needs the token beside it.

const MOST_ORGANIZERS = 2_000;

let csrfToken = "";

/** Someone has to log in (again). */
export class LoggedOut extends Error {}

/** The server refused, and said why. */
export class Refused extends Error {
  constructor(why, code) {
    super(why);
    this.code = code;
  }
}

const sentence = (text) => text.charAt(0).toUpperCase() + text.slice(1);

async function call(method, path, { body, accept = "application/json" } = {}) {
  const headers = { Accept: accept };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (method !== "GET" && csrfToken) headers["X-CSRF-Token"] = csrfToken;
  const response = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  if (response.ok) return response;
  const problem = await response.json().catch(() => ({}));
  const why = sentence(problem.detail || problem.title || `the server answered ${response.status}`);
  const isLogIn = method === "POST" && path === "/v1/session";
  throw response.status === 401 && !isLogIn ? new LoggedOut(why) : new Refused(why, problem.code);
}

const json = async (...args) => (await call(...args)).json();

function remember(session) {
  csrfToken = session.csrf_token;
  return session;
}

export const session = async () => remember(await json("GET", "/v1/session"));
export const logIn = async (input) => remember(await json("POST", "/v1/session", { body: input }));
export const logOut = () => call("DELETE", "/v1/session");
export const forgotPassword = (email) => call("POST", "/v1/password-resets", { body: { email } });
export const resetPassword = (token, password) => call("POST", "/v1/password-resets/confirm", { body: { token, password } });
export const verifyEmail = (token) => call("POST", "/v1/email-verifications/confirm", { body: { token } });

const whose = (organizer) => (organizer ? `?organizer_id=${encodeURIComponent(organizer)}` : "");

export const question = (name, organizer) => json("GET", `/v1/questions/${name}${whose(organizer)}`);
export const status = () => json("GET", "/v1/status");
export const audit = () => json("POST", "/v1/audit");
export const organizer = (id) => json("GET", `/v1/organizers/${encodeURIComponent(id)}`);

/** Those that one may see, by name. More than a list of choices is good for are left out. */
export async function organizers() {
  const found = [];
  let cursor;
  do {
    const { items, next_cursor } = await json("GET", `/v1/organizers?limit=200${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ""}`);
    found.push(...items);
    cursor = next_cursor;
  } while (cursor && found.length < MOST_ORGANIZERS);
  return found.sort((one, other) => one.name.localeCompare(other.name));
}

/** The rows of a query, and the position in the order of changes that they show. */
export async function sql(text, organizer) {
  const response = await call("POST", "/v1/sql", { body: { sql: text, ...(organizer && { organizer_id: organizer }) } });
  return { rows: await response.json(), position: response.headers.get("Bilten-Position") };
}
