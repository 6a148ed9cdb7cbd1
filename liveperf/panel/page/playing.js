/** What is played on this page, by whatever means: it sounds at once, and goes to the instrument. */

import { recall, remember } from "./dom.js";
import { HUMAN } from "./score.js";

// By place, not by letter, the same on every layout: two rows of white keys, each with the black ones above.
const LOWER = ["KeyZ", "KeyS", "KeyX", "KeyD", "KeyC", "KeyV", "KeyG", "KeyB", "KeyH", "KeyN", "KeyJ", "KeyM"];
const UPPER = [
  "KeyQ",
  "Digit2",
  "KeyW",
  "Digit3",
  "KeyE",
  "KeyR",
  "Digit5",
  "KeyT",
  "Digit6",
  "KeyY",
  "Digit7",
  "KeyU",
];
const TOP = ["KeyI", "Digit9", "KeyO", "Digit0", "KeyP"];
const STEPS = new Map([...LOWER, ...UPPER, ...TOP].map((code, step) => [code, step]));
const OCTAVES = { BracketLeft: -12, BracketRight: 12 };
const LOUDER = 32; // with Shift
const ECHO_S = 2; // what comes back from the instrument later than this is not ours any more
const MOST = 64; // messages at once
const PEDAL = 256; // where its echoes are counted, after those of the notes
const THROUGH = /^midi through\b/i; // what is sent there comes back
const [PAGE, PLUGGED] = [1, 2]; // whose foot is down

export class Playing {
  base = recall("base", 48);
  velocity = recall("velocity", 76);
  #link;
  #audio;
  #keys = new Map(); // code -> pitch
  #held = new Uint8Array(128); // whether a pitch is held,
  #hands = new Uint8Array(128); // by how many keys of the computer, mice and fingers,
  #plugged = new Uint8Array(128); // and whether by a MIDI keyboard that is plugged in here
  #feet = 0;
  #space = false; // whether Space went down as the pedal, and not on a button
  #access = null; // to those keyboards, once it is given
  #isOurs = () => false; // whether an input of a name is no keyboard that is to be heard here
  #echoes = new Uint8Array(PEDAL + 2); // what is to come back: ends and, from 128, beginnings, by pitch
  #sent = 0;
  #changed;

  /** changed: called when octave, pedal or MIDI keyboards are others. */
  constructor(link, audio, changed) {
    this.#link = link;
    this.#audio = audio;
    this.#changed = changed;
    addEventListener("keydown", (event) => this.#down(event));
    addEventListener("keyup", (event) => this.#up(event));
    addEventListener("blur", () => this.#leave());
  }

  /** Which pitches this page holds: not 0. */
  get held() {
    return this.#held;
  }

  press = (pitch, velocity) => {
    if (this.#hands[pitch]++ === 0 && !this.#plugged[pitch])
      this.#note(pitch, Math.min(Math.max(velocity, 1), 127));
  };

  release = (pitch) => {
    if (this.#hands[pitch] > 0 && --this.#hands[pitch] === 0 && !this.#plugged[pitch]) this.#note(pitch, 0);
  };

  /** Let go of everything that is held here. */
  lift() {
    this.#leave();
    this.#unplug();
  }

  /** Another window has the keys: what was held with them, mouse and fingers is let go. */
  #leave() {
    this.#keys.clear();
    this.#space = false;
    for (let pitch = 0; pitch < 128; pitch++) {
      if (this.#hands[pitch] > 1) this.#hands[pitch] = 1;
      this.release(pitch);
    }
    this.sustain(false);
  }

  /** Let go of what is held on MIDI keyboards. */
  #unplug() {
    for (let pitch = 0; pitch < 128; pitch++) this.#strike(pitch, 0);
    this.#step(PLUGGED, false);
  }

  /** The sustain pedal of this page. */
  sustain(down) {
    this.#step(PAGE, down);
  }

  get pedal() {
    return this.#feet > 0;
  }

  #step(foot, down) {
    const before = this.pedal;
    this.#feet = down ? this.#feet | foot : this.#feet & ~foot;
    if (this.pedal === before) return;
    this.#audio.pedal(this.pedal);
    if (this.#link.send({ midi: [[0xb0, 64, this.pedal ? 127 : 0]] })) this.#await(PEDAL + Number(this.pedal));
    this.#changed();
  }

  /** Shift the computer keyboard by so many semitones. */
  shift(semitones) {
    this.base = Math.min(Math.max(this.base + semitones, 12), 84);
    remember("base", this.base);
    this.#changed();
  }

  setVelocity(velocity) {
    this.velocity = velocity;
    remember("velocity", velocity);
  }

  /** What is written on which key: pitch -> letter. layout: the letters of this keyboard, by place, if known. */
  letters(layout) {
    const letters = new Map();
    for (const [code, step] of STEPS) {
      letters.set(this.base + step, (layout?.get(code) ?? code.replace(/^(Key|Digit)/, "")).toUpperCase());
    }
    return letters;
  }

  /** Whether a note that comes from the instrument was played here: then it has sounded already. */
  isEcho(pitch, velocity) {
    return this.#returns(pitch + (velocity > 0 ? 128 : 0));
  }

  /** Whether a pedal was moved here: then it has been obeyed already. */
  isPedalEcho(down) {
    return this.#returns(PEDAL + Number(down));
  }

  /** A new connection: nothing comes back on it that went out on the old one. */
  forget() {
    this.#echoes.fill(0);
  }

  /** Whether MIDI keyboards that are plugged in here are heard. */
  get plugged() {
    return this.#access !== null;
  }

  /** Ask for MIDI keyboards that are plugged in here; the names of those found. This browser remembers it. */
  async connectMidi() {
    const access = (this.#access = await navigator.requestMIDIAccess());
    access.onstatechange = ({ port }) => {
      if (port.state === "disconnected") this.#unplug(); // nobody lets its keys go any more
      this.#listen(access);
    };
    remember("midi", true);
    this.#changed();
    return this.#listen(access);
  }

  /** Connect them again, where that was done before and needs no question; null if not. */
  async reconnectMidi() {
    if (!recall("midi", false)) return null;
    try {
      const { state } = await navigator.permissions.query({ name: "midi" });
      return state === "granted" ? await this.connectMidi() : null;
    } catch {
      return null; // a browser that cannot tell
    }
  }

  /** Hear them no more. */
  disconnectMidi() {
    for (const input of this.#access?.inputs.values() ?? []) input.onmidimessage = null;
    if (this.#access) this.#access.onstatechange = null;
    this.#access = null;
    remember("midi", false);
    this.#unplug();
    this.#changed();
  }

  /** isOurs(name): whether an input is the instrument's own, or one that it hears by itself. */
  leaveOut(isOurs) {
    this.#isOurs = isOurs;
    if (this.#access) this.#listen(this.#access);
  }

  #listen(access) {
    const inputs = [...access.inputs.values()];
    for (const input of inputs) {
      const isOurs = THROUGH.test(input.name) || this.#isOurs(input.name);
      if (isOurs && input.onmidimessage) this.#unplug();
      input.onmidimessage = isOurs ? null : (event) => this.#midi(event.data);
    }
    return inputs.filter((input) => input.onmidimessage).map((input) => input.name);
  }

  #note(pitch, velocity) {
    this.#held[pitch] = Number(velocity > 0);
    this.#audio.touch(HUMAN, pitch, velocity);
    if (this.#link.send({ midi: [[velocity > 0 ? 0x90 : 0x80, pitch, velocity]] }))
      this.#await(pitch + (velocity > 0 ? 128 : 0));
  }

  #await(at) {
    this.#echoes[at] = Math.min(this.#echoes[at] + 1, MOST);
    this.#sent = performance.now() / 1000;
  }

  #returns(at) {
    if (this.#echoes[at] === 0 || performance.now() / 1000 - this.#sent > ECHO_S) {
      this.#echoes[at] = 0;
      return false;
    }
    this.#echoes[at]--;
    return true;
  }

  /** A key of a MIDI keyboard; velocity 0: it comes up. */
  #strike(pitch, velocity) {
    const held = this.#plugged[pitch];
    this.#plugged[pitch] = Number(velocity > 0);
    if (velocity > 0 || (held && !this.#hands[pitch])) this.#note(pitch, velocity);
  }

  #midi([status, first = 0, second = 0]) {
    if (status >= 0xf0) return;
    const kind = status & 0xf0;
    if (kind === 0x90) this.#strike(first, second);
    else if (kind === 0x80) this.#strike(first, 0);
    else if (kind === 0xb0 && first === 64) this.#step(PLUGGED, second >= 64);
    else this.#link.send({ midi: [[status, first, second]] });
  }

  #down(event) {
    if (event.ctrlKey || event.altKey || event.metaKey || isWriting(event.target)) return;
    const step = STEPS.get(event.code);
    if (step !== undefined) {
      event.preventDefault();
      if (event.repeat || this.#keys.has(event.code)) return;
      const pitch = this.base + step;
      this.#keys.set(event.code, pitch);
      this.press(pitch, this.velocity + (event.shiftKey ? LOUDER : 0));
    } else if (event.code in OCTAVES) {
      event.preventDefault();
      if (!event.repeat) this.shift(OCTAVES[event.code]);
    } else if (event.code === "Space" && !takesSpace(event.target)) {
      event.preventDefault();
      this.#space = true;
      this.sustain(true);
    }
  }

  #up(event) {
    const pitch = this.#keys.get(event.code);
    if (pitch !== undefined) {
      this.#keys.delete(event.code);
      this.release(pitch);
    } else if (event.code === "Space" && this.#space) {
      this.#space = false;
      this.sustain(false);
    }
  }
}

/** Whether keys are for writing there. */
export const isWriting = (target) =>
  target instanceof HTMLElement &&
  (target.isContentEditable ||
    target.matches("textarea, select, input:not([type=range], [type=radio], [type=checkbox], [type=button])"));

/** Whether Space or Enter do something there. */
const takesSpace = (target) =>
  target instanceof HTMLElement && target.matches("button, a, select, summary, input:not([type=range])");
