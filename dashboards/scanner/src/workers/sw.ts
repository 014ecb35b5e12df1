// Keeps the page on the device, so that a door opens without a network. What the page asks the server goes past it.

export {};

declare const self: ServiceWorkerGlobalScope;
declare const __FILES__: string[];
declare const __VERSION__: string;

const files = __FILES__;
const ours = "scanner-";
const name = ours + __VERSION__;

self.addEventListener("install", (event) => {
  event.waitUntil(keep().then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => {
  event.waitUntil(forgetOlder().then(() => self.clients.claim()));
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== self.location.origin) return;
  const page = request.mode === "navigate" && (url.pathname === "/scanner" || url.pathname === "/scanner/");
  const path = page ? "/scanner" : url.pathname;
  if (files.includes(path)) event.respondWith(kept(path, request));
});

async function keep(): Promise<void> {
  const cache = await caches.open(name);
  await cache.addAll(files.map((path) => new Request(path, { cache: "reload" })));
}

/** First what is kept: at a door a slow network is worse than none. A newer page is there from the next start on. */
async function kept(path: string, request: Request): Promise<Response> {
  const cache = await caches.open(name);
  return (await cache.match(path)) ?? fetch(request);
}

async function forgetOlder(): Promise<void> {
  const names = await caches.keys();
  await Promise.all(names.filter((found) => found.startsWith(ours) && found !== name).map((found) => caches.delete(found)));
}
