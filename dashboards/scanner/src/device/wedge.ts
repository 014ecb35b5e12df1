// A hand scanner that plays a keyboard: it types a code faster than any person, and ends it with Enter.

const FASTEST_PERSON_MS = 60;
const SHORTEST_CODE = 20;

/** Says how to stop listening. */
export function listenForHandScanner(onCode: (text: string) => void): () => void {
  let [typed, last] = ["", 0];
  const key = (event: KeyboardEvent) => {
    const inField = event.target instanceof HTMLInputElement || event.target instanceof HTMLTextAreaElement;
    if (inField || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.timeStamp - last > FASTEST_PERSON_MS) typed = "";
    last = event.timeStamp;
    if (event.key.length === 1) {
      typed += event.key;
    } else if (event.key === "Enter" && typed.length >= SHORTEST_CODE) {
      event.preventDefault();
      event.stopPropagation();
      onCode(typed);
      typed = "";
    }
  };
  document.addEventListener("keydown", key, { capture: true });
  return () => document.removeEventListener("keydown", key, { capture: true });
}
