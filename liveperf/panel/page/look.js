/** Colours for the canvases, from the style sheet; and the switch between dark and light. */

const NAMES = [
  "ground",
  "lane",
  "line",
  "faint",
  "ink",
  "muted",
  "human",
  "human-head",
  "machine",
  "machine-head",
];
const KEYS = ["key-white", "key-black", "key-line", "key-ink"];

/** The colours in force, by name: `look.human`, `look.keyWhite`. */
export const look = {};

const listeners = new Set();

/** Call back now and whenever the colours change. */
export function onLook(listener) {
  listeners.add(listener);
  listener();
}

function read() {
  const style = getComputedStyle(document.documentElement);
  for (const name of [...NAMES, ...KEYS]) {
    look[name.replace(/-(.)/, (_, letter) => letter.toUpperCase())] = style
      .getPropertyValue(`--${name}`)
      .trim();
  }
  look.still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  for (const listener of listeners) listener();
}

export const isDark = () => document.documentElement.dataset.theme !== "light";

/** Switch between dark and light. */
export function switchTheme() {
  const theme = isDark() ? "light" : "dark";
  try {
    localStorage.setItem("liveperf.theme", theme);
  } catch {
    // then it is for this visit
  }
  document.documentElement.dataset.theme = theme;
  document.dispatchEvent(new Event("theme"));
}

document.addEventListener("theme", read);
matchMedia("(prefers-reduced-motion: reduce)").addEventListener("change", read);
read();

/** Give a canvas as many dots as it covers; its width, height (device dots) and dots per CSS pixel. */
export function fit(canvas) {
  const ratio = Math.min(devicePixelRatio || 1, 3);
  const width = Math.max(Math.round(canvas.clientWidth * ratio), 1);
  const height = Math.max(Math.round(canvas.clientHeight * ratio), 1);
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  return { width, height, ratio };
}
