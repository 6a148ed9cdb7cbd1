/** What this page sounds and plays with: its buttons for sound, pedal, octave and MIDI, the letters on the keys. */

import { $, say } from "./dom.js";
import { notify } from "./notices.js";
import { pitchName } from "./values.js";

export class Hands {
  #audio;
  #playing;
  #manual;
  #layout = null; // the letters of this computer's keyboard, where the browser tells

  constructor(audio, playing, manual) {
    this.#audio = audio;
    this.#playing = playing;
    this.#manual = manual;
    $("sound").addEventListener("click", () => this.#switchSound());
    $("volume").value = audio.volume;
    $("volume").addEventListener("input", (event) => (audio.volume = Number(event.target.value)));
    $("own").addEventListener("click", () => {
      audio.own = !audio.own;
      this.showSound();
    });
    $("velocity").value = playing.velocity;
    $("velocity").addEventListener("input", (event) => playing.setVelocity(Number(event.target.value)));
    $("down").addEventListener("click", () => playing.shift(-12));
    $("up").addEventListener("click", () => playing.shift(12));
    $("pedal").addEventListener("click", () => playing.sustain(!playing.pedal));
    $("midi").hidden = !navigator.requestMIDIAccess;
    $("midi").addEventListener("click", () => this.#switchMidi());
    this.showSound();
    this.showPlaying();
    this.#askLayout();
    playing.reconnectMidi();
  }

  /** What sounds here is another. */
  showSound() {
    $("sound").setAttribute("aria-pressed", String(this.#audio.on));
    $("own").setAttribute("aria-pressed", String(this.#audio.own));
    if (this.#audio.on) $("hint").hidden = true;
  }

  /** Octave, pedal or MIDI are others. */
  showPlaying() {
    const keys = matchMedia("(any-pointer: fine)").matches; // where there is none, there is hardly a keyboard
    this.#manual.setLetters(keys ? this.#playing.letters(this.#layout) : new Map(), this.#playing.base);
    say($("octave"), pitchName(this.#playing.base));
    $("pedal").setAttribute("aria-pressed", String(this.#playing.pedal));
    $("midi").setAttribute("aria-pressed", String(this.#playing.plugged));
  }

  async #switchSound() {
    if (this.#audio.on) this.#audio.turnOff();
    else await this.#audio.turnOn().catch((error) => notify(error.message, "error"));
  }

  async #switchMidi() {
    if (this.#playing.plugged) {
      this.#playing.disconnectMidi();
      return;
    }
    try {
      const names = await this.#playing.connectMidi();
      const none = "No MIDI keyboard that it does not hear already: plug one in, it will be heard.";
      notify(names.length ? `Connected: ${names.join(", ")}` : none);
    } catch (error) {
      notify(`No MIDI here: ${error.message}`, "error");
    }
  }

  async #askLayout() {
    try {
      this.#layout = (await navigator.keyboard?.getLayoutMap?.()) ?? null;
    } catch {
      return; // not told
    }
    this.showPlaying();
  }
}
