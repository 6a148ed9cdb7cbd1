/** This computer's keys beside those that play: panic, the turn, zooming; and that they go where one thinks. */

import { isWriting } from "./playing.js";

const ZOOMS = { Minus: 0.8, Equal: 1.25 };
const TAKES_ENTER = "button, a, summary";
const CLICKED = "button, a, input:not([type=range])"; // a slider leaves all keys but the arrows alone

/** Bring them to life. panic(), turn(), zoom(factor): what they are for. */
export function bringKeys({ panic, turn, zoom }) {
  addEventListener("keydown", (event) => {
    const { target } = event;
    if (event.key === "Escape") panic();
    else if (event.ctrlKey || event.metaKey || isWriting(target)) return;
    else if (event.code in ZOOMS) zoom(ZOOMS[event.code]);
    else if (event.key === "Enter" && !event.repeat && !target.matches?.(TAKES_ENTER)) turn();
  });
  giveBack();
}

/**
 * What a pointer has used gives the keys back, so that Space is the pedal again and letters are notes. For somebody
 * who came there with the keyboard it stays where it is.
 */
function giveBack() {
  let pointed = false; // a pointer was used last, and no key
  for (const name of ["pointerdown", "pointerup"]) addEventListener(name, () => (pointed = true), true);
  addEventListener("keydown", () => (pointed = false), true);
  addEventListener("pointerdown", ({ target }) => {
    if (!document.activeElement?.contains(target)) document.activeElement?.blur(); // keys that are played keep it
  });
  addEventListener("click", ({ target }) => pointed && target.closest?.(CLICKED)?.blur());
  addEventListener("change", ({ target }) => pointed && target.matches("select") && target.blur());
}
