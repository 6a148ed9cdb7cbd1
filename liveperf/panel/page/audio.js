/** Sound: on once somebody clicks; notes of the instrument at their own times, notes of this page at once. */

import { AudioClock, here } from "./clocks.js";
import { recall, remember } from "./dom.js";
import { Piano } from "./piano.js";
import { HUMAN, TAPED } from "./score.js";

const LATE_S = 0.3; // a note that is later than this is not begun any more
const SOON_MS = 3000; // by then the sound is on, where there is any
const GONE_MS = 2000; // after it was switched off: by then nothing sounds any more, nor does the room
const FADE_S = 0.02;

export class Audio {
  context = null;
  analyser = null; // what is heard, last in the chain
  late = 0; // notes that came after their time
  #volume = recall("volume", 0.8);
  #own = recall("own", true);
  #pedal = false; // the human's, also while the sound is off
  #wanted = false; // whether it is switched on
  #sleeps = 0; // the timer that ends it, once it was switched off
  #master = null;
  #piano = null;
  #clock = new AudioClock();
  #samples = new Float32Array(2048);
  #link;
  #latency;
  #changed;

  /**
   * link: for the instrument's time. latency: how much later than it was played a note is heard. changed: called
   * when the sound has gone on or off, be it by the system's doing.
   */
  constructor(link, latency, changed) {
    this.#changed = changed;
    this.#link = link;
    this.#latency = latency;
  }

  get on() {
    return this.#wanted && this.context?.state === "running";
  }

  get volume() {
    return this.#volume;
  }

  set volume(part) {
    this.#volume = part;
    remember("volume", part);
    if (this.#wanted) this.#fade(part ** 2);
  }

  /** Whether the human's notes sound here: not for somebody whose piano sounds them. */
  get own() {
    return this.#own;
  }

  set own(sounds) {
    this.#own = sounds;
    remember("own", sounds);
    if (!sounds) this.#piano?.silence(HUMAN);
  }

  /** The level (RMS) that is heard now; 0 while it is off. */
  level() {
    if (!this.on) return 0;
    this.analyser.getFloatTimeDomainData(this.#samples);
    let sum = 0;
    for (let i = 0; i < this.#samples.length; i++) sum += this.#samples[i] ** 2;
    return Math.sqrt(sum / this.#samples.length);
  }

  /** Switch the sound on, from within a click or a key. Throws an Error where there is none soon. */
  async turnOn() {
    this.#wanted = true;
    clearTimeout(this.#sleeps);
    if (!this.context) this.#build();
    const { context } = this;
    const runs = context.resume().then(() => {
      if (!this.#wanted) return;
      this.#fade(this.#volume ** 2);
      this.#piano.pedal(HUMAN, this.#pedal, context.currentTime);
      this.#changed();
    });
    let late;
    const patience = new Promise((_, reject) => {
      late = setTimeout(() => reject(new Error("No sound yet: is there an output for it here?")), SOON_MS);
    });
    await Promise.race([runs, patience]).finally(() => clearTimeout(late));
  }

  /** Switch it off: at once, and nothing of it is heard when it is switched on again. */
  turnOff() {
    this.#wanted = false;
    this.#piano?.silence();
    this.#fade(0);
    this.#changed();
    this.#sleeps = setTimeout(() => this.context?.suspend(), GONE_MS);
  }

  /** Look at the clocks: often, so that they are known well. */
  look() {
    if (this.on) this.#clock.look(this.context);
  }

  /** A note of the instrument's, played at its time; velocity 0 ends it. */
  note(time, who, pitch, velocity) {
    if (!this.on || this.#isMute(who, velocity)) return;
    let at = this.#at(time);
    const behind = this.context.currentTime - at;
    if (behind > 0) {
      at += behind;
      this.late++;
      if (behind > LATE_S && velocity > 0) return;
    }
    if (velocity > 0) this.#piano.play(who, pitch, velocity, at);
    else this.#piano.lift(who, pitch, at);
  }

  /** A note of this page's: at once. */
  touch(who, pitch, velocity) {
    if (!this.on || this.#isMute(who, velocity)) return;
    const at = this.context.currentTime;
    if (velocity > 0) this.#piano.play(who, pitch, velocity, at);
    else this.#piano.lift(who, pitch, at);
  }

  /** The human's sustain pedal, at a time of the instrument's, or at once. */
  pedal(down, time = null) {
    this.#pedal = down;
    if (this.on) this.#piano.pedal(HUMAN, down, time === null ? this.context.currentTime : this.#at(time));
  }

  /** A note of a recording, at a time of the audio clock; who: HUMAN or MACHINE; velocity 0 ends it. */
  noteTaped(at, who, pitch, velocity) {
    if (!this.on) return;
    const time = Math.max(at, this.context.currentTime);
    if (velocity > 0) this.#piano.play(TAPED[who], pitch, velocity, time);
    else this.#piano.lift(TAPED[who], pitch, time);
  }

  /** The sustain pedal of a recording, at a time of the audio clock. */
  pedalTaped(at, who, down) {
    if (this.on) this.#piano.pedal(TAPED[who], down, Math.max(at, this.context.currentTime));
  }

  /** The recording's notes end, and its pedals come up: what is played now goes on. */
  silenceTaped() {
    for (const who of TAPED) {
      this.#piano?.silence(who);
      this.#piano?.pedal(who, false, 0);
    }
  }

  /** Every note ends, and every pedal comes up. */
  silence() {
    this.#pedal = false;
    this.#piano?.silence();
  }

  /** How many voices sound, and how many tones are rendered. */
  get voices() {
    return { sounding: this.#piano?.sounding ?? 0, ready: this.#piano?.ready ?? 0 };
  }

  /** Let what is heard become louder or softer. */
  #fade(gain) {
    this.#master?.gain.setTargetAtTime(gain, this.context.currentTime, FADE_S);
  }

  #isMute(who, velocity) {
    return who === HUMAN && velocity > 0 && !this.#own;
  }

  #at(time) {
    const local = here() + (time - this.#link.now());
    return this.#clock.at(local + this.#latency.seconds);
  }

  #build() {
    const context = (this.context = new AudioContext({ latencyHint: "interactive" }));
    context.onstatechange = this.#changed;
    const mix = new GainNode(context, { gain: 0.8 });
    const room = new ConvolverNode(context, { disableNormalization: false });
    const wet = new GainNode(context, { gain: 0.22 });
    const limiter = new DynamicsCompressorNode(context, {
      threshold: -10,
      knee: 10,
      ratio: 12,
      attack: 0.003,
      release: 0.18,
    });
    this.#master = new GainNode(context, { gain: 0 });
    this.analyser = new AnalyserNode(context, { fftSize: 2048, smoothingTimeConstant: 0 });
    mix.connect(limiter);
    mix.connect(room).connect(wet).connect(limiter);
    limiter.connect(this.#master).connect(this.analyser).connect(context.destination);
    this.#piano = new Piano(context, mix, (buffer) => (room.buffer = buffer));
  }
}
