// A hand scanner that plays a keyboard: it types a code faster than any person, and ends it with Enter. A slow device may
// stumble over a letter, so it is the speed over all that tells.

const FASTEST_PERSON_MS = 60;
const PAUSE_MS = 600;
const SHORTEST_CODE = 20;

/** Says how to stop listening. */
export function listenForHandScanner(onCode: (text: string) => void): () => void {
  let [typed, first, last] = ["", 0, 0];
  const key = (event: KeyboardEvent) => {
    const inField = event.target instanceof HTMLInputElement || event.target instanceof HTMLTextAreaElement;
    if (inField || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.timeStamp - last > PAUSE_MS) typed = "";
    last = event.timeStamp;
    if (typed === "") first = last;
    if (event.key.length === 1) {
      typed += event.key;
    } else if (event.key === "Enter") {
      const quick = (last - first) / typed.length < FASTEST_PERSON_MS;
      const code = typed;
      typed = "";
      if (code.length < SHORTEST_CODE || !quick) return;
      event.preventDefault();
      event.stopPropagation();
      onCode(code);
    }
  };
  document.addEventListener("keydown", key, { capture: true });
  return () => document.removeEventListener("keydown", key, { capture: true });
}
