// What the links in mails lead to. The token is in the address's fragment, which no server and no log gets to see.

import * as api from "/assets/api.js";

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
  form("forgot", ({ email }) => api.forgotPassword(email), "If there is an account with this address, the mail is on its way.");
}
