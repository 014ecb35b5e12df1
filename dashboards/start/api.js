// The HTTP API. A session lives in a cookie that scripts can't read; what it changes needs the token beside it.

const MOST_ITEMS = 2_000;

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

export const devices = (organizer) => all(`/v1/organizers/${encodeURIComponent(organizer)}/devices`);
export const registerDevice = (organizer, input) => json("POST", `/v1/organizers/${encodeURIComponent(organizer)}/devices`, { body: input });
export const revokeDevice = (id) => call("DELETE", `/v1/devices/${encodeURIComponent(id)}`);
export const gates = (event) => json("GET", `/v1/events/${encodeURIComponent(event)}/gates`);
export const events = (organizer, from) => all(`/v1/organizers/${encodeURIComponent(organizer)}/events?starts_from=${from}`);

export const sessions = () => json("GET", "/v1/sessions");
export const endSession = (id) => call("DELETE", `/v1/sessions/${encodeURIComponent(id)}`);
export const endOtherSessions = () => call("DELETE", "/v1/sessions");
export const enrol = (proof) => json("POST", "/v1/second-factor", { body: proof });
export const confirmFactor = (code) => json("POST", "/v1/second-factor/confirm", { body: { code } });
export const turnOffFactor = (proof) => call("POST", "/v1/second-factor/turn-off", { body: proof });
export const newRecoveryCodes = (proof) => json("POST", "/v1/second-factor/recovery-codes", { body: proof });

/** A whole list, or as much of it as is good for a page. */
async function all(path) {
  const found = [];
  let cursor;
  do {
    const { items, next_cursor } = await json("GET", `${path}${path.includes("?") ? "&" : "?"}limit=200${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ""}`);
    found.push(...items);
    cursor = next_cursor;
  } while (cursor && found.length < MOST_ITEMS);
  return found;
}

/** Those that one may see, by name. */
export async function organizers() {
  return (await all("/v1/organizers")).sort((one, other) => one.name.localeCompare(other.name));
}

/** The rows of a query, and the position in the order of changes that they show. */
export async function sql(text, organizer) {
  const response = await call("POST", "/v1/sql", { body: { sql: text, ...(organizer && { organizer_id: organizer }) } });
  return { rows: await response.json(), position: response.headers.get("Bilten-Position") };
}
