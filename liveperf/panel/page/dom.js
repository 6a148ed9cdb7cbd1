/** Elements, made and found; and what this browser remembers. */

/** The element of an id. */
export const $ = (id) => document.getElementById(id);

/** An element with attributes and children. `false` and null leave an attribute out, `true` sets it empty. */
export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== false && value != null) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child != null));
  return element;
}

/** An element of SVG with attributes. */
export function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** Set an element's text only where it differs: what is read aloud is not read again. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Set a button's text, and its name, which begins with that. about: what it does, and to what. */
export function inscribe(button, text, about) {
  say(button, text);
  const begins = about.toLowerCase().startsWith(text.toLowerCase());
  button.setAttribute("aria-label", begins ? about : `${text}: ${about}`);
}

/**
 * Give a list other rows: [key, make()], each made unless there is one of that key, which stays as it is, and where it
 * is under somebody's hand. Where the row with the focus goes, the control of the same name has it, or the next row.
 */
export function relist(list, rows) {
  const controls = (row) => [...(row?.querySelectorAll("button, a") ?? [])];
  const named = (control) => control.getAttribute("aria-label");
  const { activeElement: focused } = document;
  const at = [...list.children].findIndex((row) => row.contains(focused));
  const which = controls(list.children[at]).indexOf(focused);
  const there = new Map([...list.children].map((row) => [keys.get(row), row]));
  const wanted = new Set(rows.map(([key]) => key));
  for (const [key, row] of there) if (!wanted.has(key)) row.remove();
  rows.forEach(([key, make], index) => {
    const row = there.get(key) ?? make();
    keys.set(row, key);
    if (list.children[index] !== row) list.insertBefore(row, list.children[index] ?? null);
  });
  if (at < 0 || list.contains(document.activeElement)) return;
  const same = controls(list).find((one) => named(one) === named(focused));
  (same ?? controls(list.children[Math.min(at, rows.length - 1)])[which] ?? list.closest("[tabindex]"))?.focus();
}

const keys = new WeakMap(); // row of a list -> its key

/** What this browser remembers under a name; `otherwise` if it does not, or may not. */
export function recall(name, otherwise) {
  try {
    const text = localStorage.getItem(`liveperf.${name}`);
    return text === null ? otherwise : JSON.parse(text);
  } catch {
    return otherwise;
  }
}

/** Have this browser remember something. */
export function remember(name, value) {
  try {
    localStorage.setItem(`liveperf.${name}`, JSON.stringify(value));
  } catch {
    // private windows forget
  }
}

/** Ask the instrument over HTTP: the parsed answer, or an Error that says what it said. */
export async function ask(path, options = {}) {
  const response = await fetch(path, { cache: "no-store", ...options });
  const said = await response.json().catch(() => null);
  if (!response.ok) throw new Error(said?.error ?? `${path}: ${response.status} ${response.statusText}`);
  return said;
}

/** POST an object as JSON. */
export const post = (path, said = {}) =>
  ask(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(said) });
