/**
 * The piano roll. Time runs through a fixed line, now: what was played lies on the left, what is planned faintly
 * on the right. Notes of the human are solid with a stem, those of the machine hollow with a block at their head,
 * so that they are told apart without colour; louder is thicker and stronger. Frames make no objects.
 */

import { isBlack, paintEdge } from "./edge.js";
import { Grid } from "./grid.js";
import { fit, look, onLook } from "./look.js";
import { pitchClasses } from "./scales.js";
import { HUMAN, MACHINE } from "./score.js";

const REACH_S = 120; // a note that began earlier than this before the left edge is not looked for
const TAIL_S = 0.6; // how far a planned note without an end fades out
const AHEAD_S = 1.2;
const MOST_AHEAD = 0.2; // of the width

export class Roll {
  lit = new Uint8Array(128); // who sounds at this frame: bit 0 the human, bit 1 the machine
  #score;
  #plan;
  #back;
  #front;
  #edge;
  #low = 36; // what is seen: more, once it is played
  #high = 96;
  #top = new Float32Array(128); // of a pitch's lane, dots
  #lane = 6;
  #width = 1;
  #height = 1;
  #ratio = 1;
  #now = 1; // where now is, dots from the left
  #speed = 110; // CSS pixels a second
  #shown = new Uint8Array(128); // as the keys were drawn last
  #stale = true;
  #params = {};
  #fade = null;
  #glows = [document.createElement("canvas"), document.createElement("canvas")];
  #grid;

  constructor(back, front, edge, score, plan, beats) {
    this.#back = back.getContext("2d", { alpha: false });
    this.#front = front.getContext("2d");
    this.#grid = new Grid(this.#front, beats);
    this.#edge = edge.getContext("2d", { alpha: false });
    this.#score = score;
    this.#plan = plan;
    new ResizeObserver(() => this.#stage()).observe(front);
    front.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    onLook(() => this.#stage());
  }

  /** Show the range, the scale and the split that are in force. */
  setParams(params) {
    const before = this.#params;
    this.#params = params;
    const shown = ["lowest_pitch", "highest_pitch", "scale", "root", "split"];
    if (shown.some((name) => before[name] !== params[name])) this.#stale = true;
  }

  /** Have a pitch in view. */
  reveal(pitch) {
    if (pitch >= this.#low && pitch <= this.#high) return;
    if (pitch < this.#low) this.#low = pitch >= 21 && pitch < 24 ? 21 : pitch - (pitch % 12);
    else this.#high = Math.min(12 * Math.ceil(pitch / 12), 127);
    this.#stale = true;
  }

  /** The pitch of the edge's keys at a height in CSS pixels. */
  pitchAt(y) {
    const pitch = this.#high - Math.floor((y * this.#ratio) / this.#lane);
    return Math.min(Math.max(pitch, this.#low), this.#high);
  }

  /**
   * Draw the time `now` (the instrument's, s). turn: HUMAN, MACHINE, or -1 for nobody. origin: what the seconds
   * are counted from, where there are no beats.
   */
  draw(now, turn, origin) {
    if (this.#stale) this.#paintBack();
    const { lit } = this;
    const context = this.#front;
    lit.fill(0);
    context.clearRect(0, 0, this.#width, this.#height);
    this.#grid.draw(now, this.#now, this.#speed * this.#ratio, this.#ratio, origin);
    this.#drawPlan(now);
    this.#drawNotes(now);
    context.globalAlpha = 1;
    context.fillStyle = this.#fade;
    context.fillRect(0, 0, 56 * this.#ratio, this.#height);
    context.globalAlpha = turn < 0 ? 0.35 : 0.95;
    context.fillStyle = turn === HUMAN ? look.human : turn === MACHINE ? look.machine : look.ink;
    context.fillRect(this.#now - this.#ratio / 2, 0, 1.5 * this.#ratio, this.#height);
    context.globalAlpha = 1;
    for (let pitch = 0; pitch < 128; pitch++) {
      if (lit[pitch] !== this.#shown[pitch]) {
        this.#paintEdge();
        break;
      }
    }
  }

  #drawPlan(now) {
    const plan = this.#plan;
    const context = this.#front;
    const speed = this.#speed * this.#ratio;
    context.fillStyle = look.machine;
    for (let i = 0; i < plan.count; i++) {
      const start = plan.start[i];
      if (start < now - 0.02) continue; // it has been played, and is a note
      const x = this.#now + (start - now) * speed;
      const thick = this.#thickness(plan.velocity[i]);
      const y = this.#top[plan.pitch[i]] + (this.#lane - thick) / 2;
      const end = plan.end[i];
      const length = (end === Infinity ? TAIL_S : Math.max(end - start, 0.02)) * speed;
      const parts = end === Infinity ? 6 : 1;
      for (let part = 0; part < parts; part++) {
        context.globalAlpha = 0.36 * (1 - part / parts);
        context.fillRect(x + (length * part) / parts, y, length / parts, thick);
      }
      context.globalAlpha = 0.8;
      context.fillRect(x, y, 2 * this.#ratio, thick);
    }
  }

  #drawNotes(now) {
    const { start, end, pitch, velocity, who, mask } = this.#score;
    const speed = this.#speed * this.#ratio;
    const left = now - this.#now / speed;
    const oldest = this.#score.oldest;
    for (let n = this.#score.count - 1; n >= oldest; n--) {
      const slot = n & mask;
      if (start[slot] < left - REACH_S) break;
      if (end[slot] < left) continue;
      const x = this.#now + (Math.max(start[slot], left) - now) * speed;
      if (x > this.#width) continue;
      const sounds = start[slot] <= now && end[slot] > now;
      const until = sounds ? this.#now : this.#now + (Math.min(end[slot], start[slot] + 9e3) - now) * speed;
      const wide = Math.max(Math.min(until, Math.max(this.#now, x)) - x, 2 * this.#ratio);
      if (who[slot] === HUMAN) this.#drawHuman(x, wide, pitch[slot], velocity[slot]);
      else this.#drawMachine(x, wide, pitch[slot], velocity[slot]);
      if (sounds) this.#drawSounding(who[slot], pitch[slot], velocity[slot], now - start[slot]);
    }
  }

  #drawHuman(x, wide, pitch, velocity) {
    const context = this.#front;
    const thick = this.#thickness(velocity);
    const y = this.#top[pitch] + (this.#lane - thick) / 2;
    context.globalAlpha = 0.62 + velocity / 340;
    context.fillStyle = look.human;
    context.fillRect(x, y, wide, thick);
    context.globalAlpha = 1;
    context.fillStyle = look.humanHead;
    context.fillRect(x, y - 2 * this.#ratio, 2 * this.#ratio, thick + 4 * this.#ratio);
  }

  #drawMachine(x, wide, pitch, velocity) {
    const context = this.#front;
    const ratio = this.#ratio;
    const thick = Math.max(this.#thickness(velocity), 4 * ratio);
    const y = this.#top[pitch] + (this.#lane - thick) / 2;
    context.fillStyle = look.machine;
    context.globalAlpha = 0.16 + velocity / 500;
    context.fillRect(x, y, wide, thick);
    context.globalAlpha = 0.45 + velocity / 240;
    context.fillRect(x, y, wide, ratio);
    context.fillRect(x, y + thick - ratio, wide, ratio);
    context.fillRect(x + wide - ratio, y, ratio, thick);
    context.globalAlpha = 1;
    context.fillStyle = look.machineHead;
    context.fillRect(x, y, Math.min(3 * ratio, wide * 0.4), thick);
  }

  /** Its key is lit, a thread leads there, and it glows at the line: less and less, as the string does. */
  #drawSounding(who, pitch, velocity, age) {
    this.lit[pitch] |= 1 << who;
    const context = this.#front;
    const middle = this.#top[pitch] + this.#lane / 2;
    context.fillStyle = who === HUMAN ? look.human : look.machine;
    context.globalAlpha = 0.4;
    context.fillRect(this.#now, middle - this.#ratio / 2, this.#width - this.#now, this.#ratio);
    if (look.still) return;
    const glow = this.#glows[who];
    const size = glow.width * (0.55 + velocity / 200);
    context.globalAlpha = (0.25 + velocity / 220) * (0.25 + 0.75 * Math.exp(-age * 2.2));
    context.drawImage(glow, this.#now - size / 2, middle - size / 2, size, size);
  }

  #thickness(velocity) {
    return Math.min(this.#lane, 15 * this.#ratio) * (0.45 + (0.75 * velocity) / 127);
  }

  /** Show more of the time (below 1) or less. */
  zoom(by) {
    this.#speed = Math.min(Math.max(this.#speed * by, 24), 480);
    this.#stale = true;
  }

  #wheel(event) {
    const scrolls = document.documentElement.scrollHeight > innerHeight; // then the wheel is for that
    if (scrolls || event.ctrlKey || Math.abs(event.deltaY) < Math.abs(event.deltaX)) return;
    event.preventDefault();
    this.zoom(Math.exp(-event.deltaY * 0.0015));
  }

  /** The window or the colours are others. */
  #stage() {
    const { width, height, ratio } = fit(this.#front.canvas);
    if (width !== this.#width || ratio !== this.#ratio) {
      this.#speed = Math.min(Math.max(width / ratio / 11, 48), 150);
    }
    if (height / ratio > 900) [this.#low, this.#high] = [Math.min(this.#low, 21), Math.max(this.#high, 108)];
    [this.#width, this.#height, this.#ratio] = [width, height, ratio];
    fit(this.#back.canvas);
    fit(this.#edge.canvas);
    this.#front.font = `${10 * ratio}px ui-sans-serif, system-ui, sans-serif`;
    this.#fade = this.#front.createLinearGradient(0, 0, 56 * ratio, 0);
    this.#fade.addColorStop(0, look.ground);
    this.#fade.addColorStop(1, `${look.ground}00`);
    this.#paintGlow(HUMAN, look.human);
    this.#paintGlow(MACHINE, look.machine);
    this.#stale = true;
  }

  #paintGlow(who, color) {
    const canvas = this.#glows[who];
    canvas.width = canvas.height = Math.round(44 * this.#ratio);
    const context = canvas.getContext("2d");
    const middle = canvas.width / 2;
    const gradient = context.createRadialGradient(middle, middle, 0, middle, middle, middle);
    gradient.addColorStop(0, color);
    gradient.addColorStop(0.18, `${color}99`);
    gradient.addColorStop(1, `${color}00`);
    context.fillStyle = gradient;
    context.fillRect(0, 0, canvas.width, canvas.height);
  }

  #paintBack() {
    this.#stale = false;
    const context = this.#back;
    const { lowest_pitch: lowest = 0, highest_pitch: highest = 127, split = 0 } = this.#params;
    this.#lane = this.#height / (this.#high - this.#low + 1);
    const ahead = Math.min(AHEAD_S * this.#speed * this.#ratio, MOST_AHEAD * this.#width);
    this.#now = Math.round(this.#width - ahead);
    context.fillStyle = look.ground;
    context.fillRect(0, 0, this.#width, this.#height);
    for (let pitch = 0; pitch < 128; pitch++) this.#top[pitch] = (this.#high - pitch) * this.#lane;
    for (let pitch = this.#low; pitch <= this.#high; pitch++) {
      const top = this.#top[pitch];
      context.fillStyle = look.lane;
      if (isBlack(pitch)) context.fillRect(0, top, this.#width, this.#lane);
      context.fillStyle = look.faint;
      if (pitch % 12 === 0) context.fillRect(0, Math.round(top + this.#lane), this.#width, this.#ratio);
    }
    context.fillStyle = look.ground;
    context.globalAlpha = 0.6; // what it does not play lies in the shade
    context.fillRect(0, 0, this.#width, Math.max(this.#top[highest], 0));
    context.fillRect(0, this.#top[lowest] + this.#lane, this.#width, this.#height);
    context.globalAlpha = 1;
    if (split > this.#low) {
      context.fillStyle = look.muted;
      const y = Math.round(this.#top[split] + this.#lane);
      for (let x = 0; x < this.#width; x += 9 * this.#ratio)
        context.fillRect(x, y, 4 * this.#ratio, this.#ratio);
    }
    context.fillStyle = look.machine;
    context.globalAlpha = 0.045;
    context.fillRect(this.#now, 0, this.#width, this.#height);
    context.globalAlpha = 1;
    this.#paintEdge();
  }

  #paintEdge() {
    this.#shown.set(this.lit);
    const { scale, root } = this.#params;
    const lanes = { low: this.#low, high: this.#high, top: this.#top, height: this.#lane, ratio: this.#ratio };
    paintEdge(this.#edge, this.lit, lanes, pitchClasses(scale, root));
  }
}
