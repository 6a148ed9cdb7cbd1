/** The roll's lines of time: beats and bars while a MIDI clock is followed, else seconds. Frames make no objects. */

import { look } from "./look.js";

const BEATS_PER_BAR = 4; // `liveperf/timeline.py` has the same
const CLOSE = 30; // CSS pixels from one second to the next, or bar: nearer than that, not each is shown
const DENSE = 8; // from beat to beat: nearer than that, there are only bars

export class Grid {
  #context;
  #beats;
  #now = 0; // s
  #line = 0; // where now is, dots from the left
  #speed = 1; // dots a second
  #ratio = 1; // dots per CSS pixel
  #beat = 0; // from beat to beat, CSS pixels
  #texts = Array.from({ length: 64 }, () => ({ number: -1, write: null, text: "" }));

  constructor(context, beats) {
    this.#context = context;
    this.#beats = beats;
  }

  /** Draw them: `now` (s) lies at `line`. origin: what the seconds are counted from. */
  draw(now, line, speed, ratio, origin) {
    this.#now = now;
    this.#line = line;
    this.#speed = speed;
    this.#ratio = ratio;
    const left = now - line / speed;
    const right = now + (this.#context.canvas.width - line) / speed;
    this.#context.fillStyle = look.faint;
    this.#beat = (this.#beats.length * speed) / ratio;
    if (this.#beats.followed) this.#beats.visit(left, right, this.#drawBeat);
    else this.#drawSeconds(left, right, origin);
  }

  #drawSeconds(left, right, origin) {
    const each = this.#speed < CLOSE * this.#ratio ? 5 : 1;
    for (let second = each * Math.ceil((left - origin) / each); second + origin < right; second += each) {
      const strong = second % 5 === 0;
      this.#drawLine(second + origin, strong ? 0.75 : 0.4);
      if (strong && second >= 0) this.#label(second + origin, second, inMinutes);
    }
  }

  #drawBeat = (time, number) => {
    const bar = number / BEATS_PER_BAR;
    const first = Number.isInteger(bar);
    if (first || this.#beat >= DENSE) this.#drawLine(time, first ? 1 : 0.4);
    if (first && (bar % 4 === 0 || this.#beat * BEATS_PER_BAR >= CLOSE)) this.#label(time, bar + 1, String);
  };

  #drawLine(time, strength) {
    this.#context.globalAlpha = strength;
    this.#context.fillRect(this.#place(time), 0, this.#ratio, this.#context.canvas.height);
  }

  /** Write a number beside its line, once that has passed. write(number): its text, asked for once. */
  #label(time, number, write) {
    if (time >= this.#now) return;
    const kept = this.#texts[number & 63];
    if (kept.number !== number || kept.write !== write) {
      kept.number = number;
      kept.write = write;
      kept.text = write(number);
    }
    const context = this.#context;
    context.fillStyle = look.muted;
    context.globalAlpha = 0.9;
    context.fillText(kept.text, this.#place(time) + 5 * this.#ratio, context.canvas.height - 6 * this.#ratio);
    context.fillStyle = look.faint;
  }

  #place(time) {
    return Math.round(this.#line + (time - this.#now) * this.#speed);
  }
}

const inMinutes = (second) => `${Math.floor(second / 60)}:${String(second % 60).padStart(2, "0")}`;
