// The second factor: on with an authenticator app's code, off with password and code, and recovery codes for its loss.

import * as api from "./api.js";
import { picture } from "./dialog.js";
import { $, element } from "./show.js";

/** A form of these fields. `send` gets what was typed. */
function form(fields, label, send, attempt) {
  const inputs = fields.map(([text, attributes]) => element("label", {}, `${text} `, element("input", { required: "", ...attributes })));
  const button = element("button", {}, label);
  const made = element("form", { class: "form" }, ...inputs, button);
  made.addEventListener("submit", (event) => {
    event.preventDefault();
    button.disabled = true;
    attempt(() => send(Object.fromEntries(new FormData(made)))).finally(() => (button.disabled = false));
  });
  return made;
}

const PASSWORD = ["Password", { name: "password", type: "password", autocomplete: "current-password" }];
const CODE = ["Code of the app", { name: "code", inputmode: "numeric", autocomplete: "one-time-code", maxlength: 40 }];

export function showFactor(session, attempt) {
  const draw = (...parts) => {
    $("factor").replaceChildren(...parts);
    $("factor").focus();
  };
  const state = (on) => {
    $("factor-state").className = on ? "pill good" : "pill";
    $("factor-state").textContent = on ? "on" : "off";
  };
  const say = (text) => element("p", {}, text);

  function off() {
    state(false);
    const begin = form([PASSWORD], "Set it up", enrol, attempt);
    $("factor").replaceChildren(say("With it, a log-in needs a code of an app on your phone as well, so a password that is known to others opens nothing."), begin);
  }

  async function enrol(proof) {
    const { secret, otpauth_qr } = await api.enrol(proof);
    const code = element("div", { class: "code" }, picture(otpauth_qr, "QR code for the authenticator app"));
    const words = element("div", {}, say("Scan this with an authenticator app, and type the six digits that it shows."), element("p", { class: "muted small" }, "Without a camera, type this key: ", element("code", {}, secret)), form([CODE], "Turn it on", turnOn, attempt));
    draw(element("div", { class: "made" }, code, words));
  }

  async function turnOn({ code }) {
    showCodes((await api.confirmFactor(code)).recovery_codes);
  }

  function showCodes(codes) {
    state(true);
    const done = element("button", {}, "I have kept them");
    done.addEventListener("click", on);
    draw(say("Keep these recovery codes where you find them without your phone. Each logs you in once; they are shown this once."), element("ul", { class: "codes" }, ...codes.map((code) => element("li", {}, code))), done);
  }

  function on() {
    state(true);
    const choice = (label, send, kind) => {
      const button = element("button", { class: kind }, label);
      button.addEventListener("click", () => draw(form([PASSWORD, CODE], label, send, attempt)));
      return button;
    };
    const turnOff = async (proof) => (await api.turnOffFactor(proof), off());
    const renew = async (proof) => showCodes((await api.newRecoveryCodes(proof)).recovery_codes);
    $("factor").replaceChildren(say("A log-in needs a code of your authenticator app."), element("p", { class: "row" }, choice("New recovery codes", renew, "plain"), choice("Turn it off", turnOff, "plain quiet")));
  }

  if (session.second_factor) on();
  else off();
}
