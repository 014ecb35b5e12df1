// One's own account, and what the links in mails lead to: their tokens are in the address's fragment, which no server and
// no log gets to see.

import * as api from "./api.js";
import { showFactor } from "./second-factor.js";
import { showSessions } from "./sessions.js";

const $ = (id) => document.getElementById(id);
const [purpose, token] = location.hash.slice(1).split("=");
history.replaceState(null, "", location.pathname);

function say(text) {
  $("said").textContent = text;
  $("said").hidden = false;
}

function form(id, send, done) {
  $(id).hidden = false;
  $(id).addEventListener("submit", async (event) => {
    event.preventDefault();
    const fields = Object.fromEntries(new FormData(event.currentTarget));
    try {
      await send(fields);
      $(id).hidden = true;
      say(done);
    } catch (error) {
      say(error.message);
    }
  });
}

if (purpose === "reset") {
  form("reset", ({ password }) => api.resetPassword(token, password), "The password is set. You can log in with it now.");
} else if (purpose === "verify") {
  api.verifyEmail(token).then(() => say("Your e-mail address is confirmed."), (error) => say(error.message));
} else {
  api.session().then(enter, forgot);
}

/** Somebody who is logged in comes for the second factor and the sessions. */
function enter(session) {
  $("mine").hidden = $("inside").hidden = false;
  $("outside").hidden = true;
  const attempt = async (work) => {
    $("trouble").textContent = "";
    try {
      await work();
    } catch (error) {
      if (error instanceof api.LoggedOut) return location.assign("/");
      $("trouble").textContent = error.message;
    }
  };
  showFactor(session, attempt);
  attempt(() => showSessions(attempt));
}

function forgot() {
  form("forgot", ({ email }) => api.forgotPassword(email), "If there is an account with this address, the mail is on its way.");
}
