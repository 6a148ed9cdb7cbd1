/** What the page has to say: notices that go away, the banner while the instrument is gone, files dropped here. */

import { $, ask, el, say } from "./dom.js";

const SHOWN_MS = 6000;
const MOST = 4;
const MOST_BYTES = 1 << 20;
const leaving = new WeakMap(); // notice -> the timer that takes it away

/** Say something; kind: "info" or "error". What is still to be read is not said again: it stays longer. */
export function notify(text, kind = "info") {
  const notices = $("notices");
  const shown = [...notices.children].find((one) => one.textContent === text);
  const notice = shown ?? notices.appendChild(el("p", { class: `notice ${kind}` }, text));
  while (notices.children.length > MOST) notices.firstChild.remove();
  clearTimeout(leaving.get(notice));
  leaving.set(
    notice,
    setTimeout(() => notice.remove(), SHOWN_MS),
  );
}

/** The banner: why there is no instrument; null: it is there. */
export function banner(text) {
  $("banner").hidden = text === null;
  if (text !== null) say($("banner-says"), text);
}

/** Say in the banner, to the eye alone, when it tries again. */
export const bannerWaits = (seconds) => say($("banner-waits"), `The next try is in ${Math.ceil(seconds)} s.`);

/** Let the model hear MIDI files that are dropped anywhere, or chosen. */
export function takeFiles() {
  const drop = $("drop");
  let depth = 0;
  const hasFiles = (event) => event.dataTransfer?.types.includes("Files");
  const over = (by) => {
    depth = Math.max(depth + by, 0);
    drop.hidden = depth === 0;
  };
  addEventListener("dragenter", (event) => hasFiles(event) && (event.preventDefault(), over(1)));
  addEventListener("dragleave", (event) => hasFiles(event) && over(-1));
  addEventListener("dragover", (event) => hasFiles(event) && event.preventDefault());
  addEventListener("drop", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    over(-depth);
    const [file, ...others] = event.dataTransfer.files;
    if (others.length) notify(`It hears one file at a time: ${file.name} now, drop others after it.`);
    prime(file);
  });
  $("prime").addEventListener("change", (event) => {
    prime(event.target.files[0]);
    event.target.value = "";
  });
}

async function prime(file) {
  if (!file) return;
  if (!/\.midi?$/i.test(file.name))
    return notify(`${file.name} is no MIDI file: drop one that ends with .mid`, "error");
  if (file.size > MOST_BYTES) return notify(`${file.name} has more than 1 MB`, "error");
  try {
    const headers = { "Content-Type": "audio/midi" };
    const { notes, seconds } = await ask("api/prime", { method: "POST", headers, body: file });
    notify(`It has heard ${file.name}: ${notes} notes, ${Math.round(seconds)} s, and goes on from there.`);
  } catch (error) {
    notify(`${file.name}: ${error.message}`, "error");
  }
}
