// Where one is logged in, and ending that.

import * as api from "./api.js";
import { $, day, element, table } from "./show.js";

/** The browser and the system of a `User-Agent`, as far as a person cares. */
function program(agent) {
  const browser = [["Edg/", "Edge"], ["Firefox/", "Firefox"], ["Chrome/", "Chrome"], ["Safari/", "Safari"]].find(([mark]) => agent?.includes(mark))?.[1];
  const system = ["Android", "iPhone", "iPad", "Windows", "Mac OS", "Linux"].find((mark) => agent?.includes(mark));
  return browser ? [browser, system].filter(Boolean).join(", ") : (agent?.slice(0, 60) ?? "unknown");
}

export async function showSessions(attempt) {
  const sessions = await api.sessions();
  const columns = [
    { title: "Browser", of: ({ user_agent }) => program(user_agent), kind: "name" },
    { title: "Address", of: ({ address }) => address ?? "", kind: "extra" },
    { title: "Since", of: ({ created_at }) => day(created_at), kind: "when extra" },
    { title: "Last seen", of: ({ last_seen_at }) => day(last_seen_at), kind: "when" },
    { title: element("span", { class: "hidden" }, "End"), of: ending, kind: "act" },
  ];
  $("sessions").replaceChildren(table(columns, sessions, ""));
  $("end-others").hidden = sessions.length < 2;
  $("end-others").onclick = () => attempt(async () => {
    await api.endOtherSessions();
    await showSessions(attempt);
  });

  function ending({ session_id, current, user_agent }) {
    if (current) return element("span", { class: "pill good" }, "this one");
    const button = element("button", { class: "plain quiet", "aria-label": `End the session of ${program(user_agent)}` }, "End");
    button.addEventListener("click", () => attempt(async () => {
      await api.endSession(session_id);
      await showSessions(attempt);
    }));
    return button;
  }
}
