/** The keyboard that is played with mouse and fingers: glissando, several fingers, louder further down the key. */

import { isBlack } from "./edge.js";
import { fit, look, onLook } from "./look.js";

import { pitchName } from "./values.js";

const BLACK_DEEP = 0.62; // of a white key's length
const BLACK_WIDE = 0.58;

export class Manual {
  #canvas;
  #context;
  #low = 21;
  #high = 108;
  #wide = 20; // a white key, dots
  #ratio = 1;
  #lit = new Uint8Array(128);
  #letters = new Map(); // pitch -> what is written on its key
  #whites = new Int16Array(129); // how many white keys lie below a pitch
  #fingers = new Map(); // pointer -> pitch
  #base = 48;

  /** press(pitch, velocity), release(pitch): called as it is played. */
  constructor(canvas, press, release) {
    this.#canvas = canvas;
    this.#context = canvas.getContext("2d", { alpha: false });
    for (let pitch = 0; pitch < 128; pitch++)
      this.#whites[pitch + 1] = this.#whites[pitch] + (isBlack(pitch) ? 0 : 1);
    new ResizeObserver(() => this.#stage()).observe(canvas);
    onLook(() => this.#stage());
    playable(canvas, this.#fingers, (event) => this.#keyAt(event), press, release);
  }

  /** Write the computer keyboard's letters on the keys; base: the pitch of its lowest, in view. */
  setLetters(letters, base) {
    this.#letters = letters;
    this.#base = base;
    this.#stage();
  }

  /** Show who sounds: bit 0 the human, bit 1 the machine. */
  show(lit) {
    for (let pitch = 0; pitch < 128; pitch++) {
      if (lit[pitch] === this.#lit[pitch]) continue;
      this.#lit.set(lit);
      this.#paint();
      return;
    }
  }

  #stage() {
    const { width, ratio } = fit(this.#canvas);
    const least = matchMedia("(pointer: coarse)").matches ? 25 : 19;
    const room = Math.floor(width / ratio / least);
    if (room >= 52) [this.#low, this.#high] = [21, 108];
    else {
      const octaves = Math.max(Math.floor(room / 7), 1);
      const below = Math.max(Math.floor((octaves - 2) / 2), 0);
      this.#low = Math.min(Math.max(this.#base - 12 * below, 24), 108 - 12 * octaves);
      this.#high = this.#low + 12 * octaves - (room % 7 && octaves < 7 ? 0 : 1);
    }
    this.#ratio = ratio;
    this.#wide = width / (this.#whites[this.#high + 1] - this.#whites[this.#low]);
    this.#paint();
  }

  #left(pitch) {
    return (this.#whites[pitch] - this.#whites[this.#low] - (isBlack(pitch) ? BLACK_WIDE / 2 : 0)) * this.#wide;
  }

  #keyAt(event) {
    const box = this.#canvas.getBoundingClientRect();
    const x = (event.clientX - box.left) * this.#ratio;
    const deep = (event.clientY - box.top) / box.height;
    let found = this.#low;
    for (let pitch = this.#low; pitch <= this.#high; pitch++)
      if (!isBlack(pitch) && this.#left(pitch) <= x) found = pitch;
    if (deep < BLACK_DEEP) {
      for (const pitch of [found - 1, found + 1]) {
        const left = this.#left(pitch);
        if (isBlack(pitch) && x >= left && x < left + this.#wide * BLACK_WIDE) found = pitch;
      }
    }
    const length = isBlack(found) ? BLACK_DEEP : 1;
    return { pitch: found, velocity: 36 + 84 * Math.min(Math.max(deep / length, 0), 1) };
  }

  #paint() {
    const context = this.#context;
    const { width, height } = context.canvas;
    const line = this.#ratio;
    context.fillStyle = look.keyLine;
    context.fillRect(0, 0, width, height);
    for (let pitch = this.#low; pitch <= this.#high; pitch++) {
      if (!isBlack(pitch))
        this.#key(pitch, this.#left(pitch) + line / 2, this.#wide - line, height, look.keyWhite);
    }
    for (let pitch = this.#low; pitch <= this.#high; pitch++) {
      if (!isBlack(pitch)) continue;
      const left = this.#left(pitch);
      context.fillStyle = look.keyLine;
      context.fillRect(left - line, 0, this.#wide * BLACK_WIDE + 2 * line, height * BLACK_DEEP + line);
      this.#key(pitch, left, this.#wide * BLACK_WIDE, height * BLACK_DEEP, look.keyBlack);
    }
  }

  #key(pitch, left, wide, high, color) {
    const context = this.#context;
    const lit = this.#lit[pitch];
    context.fillStyle = color;
    context.fillRect(left, 0, wide, high);
    if (lit & 1) {
      context.fillStyle = look.human;
      context.fillRect(left, 0, wide, high);
    }
    if (lit & 2) {
      const inset = lit & 1 ? wide * 0.25 : 0; // hollow, as its notes are; inside of the human's where both sound
      context.fillStyle = look.machine;
      context.fillRect(left + inset, 0, wide - 2 * inset, high);
      context.fillStyle = color;
      const edge = Math.max(wide * 0.16, 2 * this.#ratio);
      context.globalAlpha = 0.55;
      context.fillRect(left + inset + edge, 0, wide - 2 * (inset + edge), high - edge);
      context.globalAlpha = 1;
    }
    this.#inscribe(pitch, left + wide / 2, high);
  }

  #inscribe(pitch, middle, high) {
    const context = this.#context;
    const letter = this.#letters.get(pitch);
    const ratio = this.#ratio;
    const black = isBlack(pitch);
    const size = Math.min(11 * ratio, this.#wide * (black ? 0.42 : 0.5));
    context.textAlign = "center";
    context.font = `600 ${size}px ui-sans-serif, system-ui, sans-serif`;
    context.fillStyle = this.#lit[pitch] & 1 ? look.ground : black ? look.keyWhite : look.keyInk;
    if (letter) context.fillText(letter, middle, high - (black ? 7 : 8) * ratio);
    if (pitch % 12 === 0) {
      context.font = `${size * 0.85}px ui-sans-serif, system-ui, sans-serif`;
      context.globalAlpha = 0.75;
      context.fillText(pitchName(pitch), middle, high - (letter ? 23 : 8) * ratio);
      context.globalAlpha = 1;
    }
  }
}

/**
 * Have an element be played by pointers: each holds a key, and another as it slides.
 * fingers: which pointer holds which pitch. keyAt(event): {pitch, velocity}.
 */
export function playable(element, fingers, keyAt, press, release) {
  const hold = (event) => {
    const { pitch, velocity } = keyAt(event);
    const held = fingers.get(event.pointerId);
    if (pitch === held) return;
    fingers.set(event.pointerId, pitch);
    if (held !== undefined) lift(held);
    press(pitch, Math.round(velocity));
  };
  const lift = (pitch) => {
    for (const other of fingers.values()) if (other === pitch) return; // another finger is on it
    release(pitch);
  };
  const end = (event) => {
    const held = fingers.get(event.pointerId);
    fingers.delete(event.pointerId);
    if (held !== undefined) lift(held);
  };
  element.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    event.preventDefault();
    element.setPointerCapture(event.pointerId);
    hold(event);
  });
  element.addEventListener("pointermove", (event) => fingers.has(event.pointerId) && hold(event));
  for (const name of ["pointerup", "pointercancel", "lostpointercapture"]) element.addEventListener(name, end);
}
