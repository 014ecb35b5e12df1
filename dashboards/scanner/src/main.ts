// The start: what the device remembers decides which screen comes first.

import { Memory } from "./door/memory";
import type { Device } from "./door/model";
import * as feedback from "./device/feedback";
import { App } from "./ui/app";
import { chooseList, openDoor } from "./ui/choose";
import { logIn, register, registration, trouble } from "./ui/login";
import { scanScreen } from "./ui/scan";

async function start(): Promise<void> {
  if ("serviceWorker" in navigator) {
    void navigator.serviceWorker.register("/scanner/sw.js", { scope: "/scanner" }).catch(() => undefined);
  }
  // Not to be thrown away when the disk is full.
  void navigator.storage?.persist?.().catch(() => false);
  const [host, speaker] = [document.getElementById("app"), document.getElementById("said")];
  if (!host || !speaker) return;
  const app = new App(await Memory.open(), host, speaker);
  app.logInScreen = logIn;
  await app.startLanguage();
  feedback.useSound((await app.memory.get<boolean>("sound")) ?? true);
  if (await followLink(app)) return;
  app.device = (await app.memory.get<Device>("device")) ?? null;
  if (!app.device) return app.show(logIn);
  const listId = await app.memory.get<string>("list");
  if (listId) await openDoor(app, listId).catch(() => undefined);
  if (app.device) app.show(app.door ? scanScreen : chooseList);
}

/** A registration link: its token is for this device, and not for the address bar. */
async function followLink(app: App): Promise<boolean> {
  const found = registration(location.hash.slice(1) && location.hash);
  if (!found) return false;
  history.replaceState(null, "", location.pathname);
  try {
    await register(app, { token: found.token, name: null, gate: found.gate });
    app.show(chooseList);
  } catch (problem) {
    app.notice = trouble(problem);
    app.show(logIn);
  }
  return true;
}

void start();
