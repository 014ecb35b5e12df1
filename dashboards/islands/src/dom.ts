// Elements are made here. Data becomes text nodes and attributes, never markup.

export type Child = Node | string | number | null | undefined | false;
type Properties = Record<string, string | number | boolean | null | undefined | ((event: Event) => void)>;

/** An element; a function becomes a listener, `true` an empty attribute, and what is false or missing is left out. */
export function el<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  properties: Properties = {},
  ...children: Child[]
): HTMLElementTagNameMap[Name] {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (typeof value === "function") made.addEventListener(key.replace(/^on/, ""), value);
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(key, value === true ? "" : String(value));
  }
  made.append(...children.filter((child) => child !== null && child !== undefined && child !== false).map((child) => (child instanceof Node ? child : String(child))));
  return made;
}

export const all = <Found extends HTMLElement = HTMLElement>(selector: string, within: ParentNode = document): Found[] => [
  ...within.querySelectorAll<Found>(selector),
];

export const one = <Found extends HTMLElement = HTMLElement>(selector: string, within: ParentNode = document): Found | null =>
  within.querySelector<Found>(selector);

/** Text is changed only if it differs: a screen reader is told of what is new alone. */
export function say(host: Element, text: string): boolean {
  if (host.textContent === text) return false;
  host.textContent = text;
  return true;
}

export function save(content: Blob, name: string): void {
  const address = URL.createObjectURL(content);
  el("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}
