/** The piano: a tone every three keys, played at the speed of the key; brightness and loudness by velocity. */

import { frequency } from "./tone.js";

const VOICES = 56;
const RATE = 32000; // of the tones: they end at 12 kHz
const GONE_S = 0.012; // how fast a voice that is stolen fades
// The middle first: what is played first is there first.
const PITCHES = Array.from({ length: 30 }, (_, i) => 21 + 3 * i).sort(
  (a, b) => Math.abs(a - 60) - Math.abs(b - 60),
);

export class Piano {
  #context;
  #out;
  #tones = new Map(); // pitch -> AudioBuffer
  #nearest = new Int16Array(128).fill(-1); // the tone for a pitch
  #voices = [];
  #pedals = [false, false, false, false]; // by who
  ready = 0; // how many tones are there

  /** onRoom: called with the AudioBuffer of the room, once it is there. */
  constructor(context, out, onRoom) {
    this.#context = context;
    this.#out = [-0.5, -0.3, -0.12, 0.12, 0.3, 0.5].map((pan) => {
      const panner = new StereoPannerNode(context, { pan });
      panner.connect(out);
      return panner;
    });
    const worker = new Worker(new URL("./tone-worker.js", import.meta.url), { type: "module" });
    worker.onmessage = ({ data: { pitch, sides } }) => {
      const sampleRate = pitch === null ? context.sampleRate : RATE; // a room has to match
      const buffer = new AudioBuffer({ numberOfChannels: 2, length: sides[0].length, sampleRate });
      sides.forEach((samples, side) => buffer.copyToChannel(samples, side));
      if (pitch === null) onRoom(buffer);
      else this.#take(pitch, buffer);
    };
    worker.postMessage({ rate: RATE, pitches: PITCHES, roomRate: context.sampleRate });
  }

  /** How many voices sound. */
  get sounding() {
    return this.#voices.length;
  }

  /** A note begins at a time of the audio clock. */
  play(who, pitch, velocity, at) {
    const tone = this.#nearest[pitch];
    if (tone < 0) return;
    this.#end(who, pitch, at, true);
    if (this.#voices.length >= VOICES) this.#steal(at);
    const context = this.#context;
    const force = velocity / 127;
    const source = new AudioBufferSourceNode(context, {
      buffer: this.#tones.get(tone),
      playbackRate: frequency(pitch) / frequency(tone),
    });
    const bright = Math.min(frequency(pitch) * (0.8 + 2 * force) + 260 * 2 ** (6 * force), 15500);
    const filter = new BiquadFilterNode(context, { type: "lowpass", frequency: bright, Q: -2.5 });
    const gain = new GainNode(context, { gain: 0.03 + 0.62 * force ** 1.9 });
    const place = Math.min(
      Math.max(Math.floor(((pitch - 21) / 88) * this.#out.length), 0),
      this.#out.length - 1,
    );
    source.connect(filter).connect(gain).connect(this.#out[place]);
    const voice = { who, pitch, source, gain, at, force, held: true, waits: false };
    source.onended = () => {
      gain.disconnect();
      const index = this.#voices.indexOf(voice);
      if (index >= 0) this.#voices.splice(index, 1);
    };
    this.#voices.push(voice);
    source.start(at);
  }

  /** It ends, unless the pedal holds it. */
  lift(who, pitch, at) {
    this.#end(who, pitch, at, false);
  }

  /** Somebody's sustain pedal: it holds his notes. */
  pedal(who, down, at) {
    this.#pedals[who] = down;
    if (down) return;
    for (const voice of [...this.#voices])
      if (voice.waits && voice.who === who) this.#damp(voice, at, releaseOf(voice.pitch));
  }

  /** Every note ends now, and every pedal comes up; or the notes of one. What was to begin later does not. */
  silence(who = -1) {
    if (who < 0) this.#pedals.fill(false);
    const now = this.#context.currentTime;
    for (const voice of [...this.#voices]) {
      if (who >= 0 && voice.who !== who) continue;
      if (voice.at > now) this.#drop(voice);
      else this.#damp(voice, now, 0.03);
    }
  }

  #take(pitch, buffer) {
    this.#tones.set(pitch, buffer);
    this.ready = this.#tones.size;
    for (let one = 0; one < 128; one++) {
      const before = this.#nearest[one];
      if (before < 0 || Math.abs(one - pitch) < Math.abs(one - before)) this.#nearest[one] = pitch;
    }
  }

  #end(who, pitch, at, again) {
    for (const voice of this.#voices) {
      if (voice.who !== who || voice.pitch !== pitch || !voice.held) continue;
      if (again)
        this.#damp(voice, at, 0.06); // the same string is struck again
      else if (this.#pedals[who]) voice.waits = true;
      else if (pitch <= 90)
        this.#damp(voice, at, releaseOf(pitch)); // the highest strings have no dampers
      else voice.held = false;
    }
  }

  #damp(voice, at, seconds) {
    voice.held = voice.waits = false;
    const time = Math.max(at, voice.at, this.#context.currentTime);
    voice.gain.gain.setTargetAtTime(0, time, seconds);
    voice.source.stop(time + 7 * seconds);
  }

  /** It has not begun, and never will. */
  #drop(voice) {
    voice.source.onended = null;
    voice.source.stop();
    voice.gain.disconnect();
    this.#voices.splice(this.#voices.indexOf(voice), 1);
  }

  /** The voice that is missed least makes room: one that has ended, else the faintest. */
  #steal(at) {
    const now = this.#context.currentTime;
    let least = this.#voices[0];
    const worth = (voice) => (voice.held ? 1 : 0) + voice.force * Math.exp(-(now - voice.at) / 2);
    for (const voice of this.#voices) if (worth(voice) < worth(least)) least = voice;
    this.#damp(least, Math.min(at, now), GONE_S);
    this.#voices.splice(this.#voices.indexOf(least), 1);
  }
}

/** How fast (s, time constant) a damper silences a string: heavy ones take longer. */
const releaseOf = (pitch) => 0.05 + 0.11 * Math.max(1 - (pitch - 21) / 70, 0);
