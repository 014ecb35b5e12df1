// The devices at an organizer's doors: register one, set it up by its QR code, revoke it.

import * as api from "./api.js";
import { confirmed, picture } from "./dialog.js";
import { $, day, element, table } from "./show.js";

const MANAGERS = ["owner", "manager"];
const DAY = 24 * 3600 * 1000;

let organizer = "";
let events = [];

async function attempt(work) {
  $("trouble").textContent = "";
  try {
    await work();
  } catch (error) {
    if (error instanceof api.LoggedOut) return location.assign("/");
    $("trouble").textContent = error.message;
  }
}

async function enter(session) {
  const mine = session.memberships.filter(({ active, role }) => active && MANAGERS.includes(role));
  const known = session.platform_admin ? await api.organizers() : await Promise.all(mine.map(({ organizer_id }) => api.organizer(organizer_id)));
  if (known.length === 0) throw new Error("Devices are registered by owners and managers.");
  $("organizer").replaceChildren(...known.map(({ id, name }) => element("option", { value: id }, name)));
  $("whose").hidden = known.length < 2;
  $("register").hidden = $("known").hidden = false;
  await choose();
}

async function choose() {
  organizer = $("organizer").value;
  hide();
  const since = new Date(Date.now() - 2 * DAY).toISOString();
  events = await api.events(organizer, since);
  const options = events.map((event) => element("option", { value: event.event_id }, `${event.title}, ${day(event.starts_at)}`));
  $("register").elements.event_id.replaceChildren(element("option", { value: "" }, "all events"), ...options);
  await offerGates();
  await list();
}

/** A gate belongs to an event, so there is none to choose before one is chosen. */
async function offerGates() {
  const { event_id, gate_id } = $("register").elements;
  const gates = event_id.value ? await api.gates(event_id.value) : [];
  const options = gates.filter(({ active }) => active).map((gate) => element("option", { value: gate.gate_id }, gate.name));
  gate_id.replaceChildren(element("option", { value: "" }, "any gate"), ...options);
  gate_id.disabled = options.length === 0;
}

async function list() {
  const devices = await api.devices(organizer);
  const gates = new Map();
  for (const id of new Set(devices.filter(({ gate_id }) => gate_id).map(({ event_id }) => event_id))) {
    for (const gate of await api.gates(id)) gates.set(gate.gate_id, gate.name);
  }
  const title = (id) => events.find(({ event_id }) => event_id === id)?.title ?? "an earlier event";
  const columns = [
    { title: "Name", of: (device) => device.name, kind: "name" },
    { title: "Event", of: ({ event_id }) => (event_id ? title(event_id) : "all events"), kind: "name" },
    { title: "Gate", of: ({ gate_id }) => (gate_id ? (gates.get(gate_id) ?? "") : "any"), kind: "extra" },
    { title: "Registered", of: (device) => day(device.registered_at), kind: "when extra" },
    { title: element("span", { class: "hidden" }, "Revoke"), of: state, kind: "act" },
  ];
  const inForce = devices.sort((one, other) => Boolean(one.revoked_at) - Boolean(other.revoked_at));
  $("list").replaceChildren(table(columns, inForce, "No devices yet."));
}

function state(device) {
  if (device.revoked_at) return element("span", { class: "pill" }, "revoked");
  const button = element("button", { class: "plain quiet", "aria-label": `Revoke ${device.name}` }, "Revoke");
  button.addEventListener("click", () => attempt(async () => {
    const text = "Its next scan is refused, and the phone deletes what it knows.";
    if (!(await confirmed(`Revoke ${device.name}?`, text, "Revoke", "Keep it"))) return;
    await api.revokeDevice(device.device_id);
    hide();
    await list();
  }));
  return button;
}

async function register(event) {
  event.preventDefault();
  const form = event.currentTarget;
  const { name, event_id, gate_id } = Object.fromEntries(new FormData(form));
  const made = await api.registerDevice(organizer, { name, ...(event_id && { event_id }), ...(gate_id && { gate_id }) });
  $("made-title").textContent = `Set up ${made.name}`;
  $("made-code").replaceChildren(picture(made.set_up_qr, `QR code that sets up ${made.name}`));
  $("made-link").value = made.set_up_url;
  $("made").hidden = false;
  $("made").focus();
  form.elements.name.value = "";
  await list();
}

/** What was shown once is not shown again. */
function hide() {
  $("made").hidden = true;
  $("made-code").replaceChildren();
  $("made-link").value = "";
}

async function copy() {
  $("made-link").select();
  await navigator.clipboard?.writeText($("made-link").value);
}

$("organizer").addEventListener("change", () => attempt(choose));
$("register").elements.event_id.addEventListener("change", () => attempt(offerGates));
$("register").addEventListener("submit", (event) => attempt(() => register(event)));
$("made-copy").addEventListener("click", () => attempt(copy));
$("made-done").addEventListener("click", hide);

attempt(async () => enter(await api.session()));
