/** The mode, whose turn it is, the turn and panic buttons, presets, and takes. */

import { $, ask, el, post, say } from "./dom.js";
import { HUMAN, MACHINE } from "./score.js";

const WORDS = {
  answer: {
    waiting: "waiting for you",
    listening: "listening",
    playing: "answering",
    finished: "silent until you play",
  },
  solo: { waiting: "about to play", playing: "playing", ending: "coming to rest", finished: "at rest" },
  duet: { waiting: "waiting for you", playing: "playing with you", ending: "coming to rest" },
};
const SETTLE_MS = 1500; // so soon after a preset was chosen it may not be in force yet
const TURNS = { human: HUMAN, machine: MACHINE };

export class Transport {
  state = { turn: "nobody", state: "waiting", gap_ends: null };
  #link;
  #params;
  #take = null; // since when one runs, the instrument's time
  #filled = -1;
  #chosen = -Infinity; // when a preset was chosen here last
  #asks = false; // whether a take is just being begun or ended from here

  /** params: what is in force. notify(text, kind). */
  constructor(link, params, notify) {
    this.#link = link;
    this.#params = params;
    $("turn-button").addEventListener("click", () => link.send({ do: "turn" }));
    $("previous").addEventListener("click", () => link.send({ do: "previous_preset" }));
    $("next").addEventListener("click", () => link.send({ do: "next_preset" }));
    $("preset").addEventListener("change", (event) => this.#choose(event.target.value));
    $("record").addEventListener("click", () => this.#record(notify));
    setInterval(() => this.#take !== null && this.#showTake(), 500);
  }

  /** Make the mode switch of the table's row. */
  build(row) {
    const buttons = row.choices.map((mode) => {
      const input = el("input", { type: "radio", name: "param-mode", value: mode });
      input.addEventListener("change", () => this.#params.set("mode", mode));
      return el("label", {}, input, el("span", {}, mode));
    });
    $("modes").replaceChildren(...buttons);
    $("modes").title = row.help;
    this.#params.adopt(row, (mode) => {
      for (const input of $("modes").querySelectorAll("input")) input.checked = input.value === mode;
    });
    this.showState();
  }

  /** The state of the session is another. */
  setState(state) {
    this.state = state;
    this.showState();
  }

  /** A take of its own runs since a time of the instrument's, or null: none does. */
  setTake(since) {
    this.#take = since;
    this.#showTake();
  }

  /** The machine's status, each second. A preset that was changed since, or is not in the list, is but named. */
  setStatus({ preset, preset_changed: changed }) {
    if (performance.now() - this.#chosen < SETTLE_MS) return;
    const presets = $("preset");
    say(presets.options[0], preset === null ? "preset" : changed ? `${preset}, changed` : preset);
    presets.value = changed ? "" : preset;
    if (presets.selectedIndex < 0) presets.value = "";
  }

  /** Ask for the names of the presets. */
  async listPresets() {
    const names = await ask("api/presets");
    const chosen = $("preset").value;
    $("preset").replaceChildren(el("option", { value: "" }, "preset"));
    for (const name of names) $("preset").append(el("option", { value: name }, name));
    $("preset").value = names.includes(chosen) ? chosen : "";
  }

  /** HUMAN, MACHINE, or -1 for nobody. */
  get turn() {
    return TURNS[this.state.turn] ?? -1;
  }

  /** Let the gap run down; now: the instrument's time. */
  draw(now) {
    const { gap_ends: ends, state } = this.state;
    const gap = this.#params.values.turn_gap_s ?? 1;
    const part = ends == null ? (state === "waiting" || state === "finished" ? 0 : 1) : (ends - now) / gap;
    const filled = Math.round(Math.min(Math.max(part, 0), 1) * 200) / 200;
    if (filled === this.#filled) return;
    this.#filled = filled;
    $("ring").style.strokeDashoffset = String(101 - 101 * filled);
  }

  #choose(preset) {
    if (!preset) return;
    this.#chosen = performance.now();
    this.#link.send({ preset });
  }

  /** Say in words how it is; to be called when the mode is another, too. */
  showState() {
    const { mode = "answer" } = this.#params.values;
    const { state, turn } = this.state;
    say($("says"), WORDS[mode]?.[state] ?? state);
    $("turn").dataset.turn = turn;
  }

  /** Begin a take, or end the one that runs: all pages are told by the instrument. */
  async #record(notify) {
    if (this.#asks) return;
    this.#asks = true;
    try {
      if (this.#take === null) {
        const { name } = await post("api/take");
        notify(`Recording a take of its own: ${name}`);
      } else {
        await ask("api/take", { method: "DELETE" });
        notify("The take is kept, under Recordings.");
      }
    } catch (error) {
      notify(error.message, "error");
    } finally {
      this.#asks = false;
    }
  }

  #showTake() {
    const runs = this.#take !== null;
    const seconds = runs ? Math.max(Math.floor(this.#link.now() - this.#take), 0) : 0;
    const time = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
    $("record").setAttribute("aria-pressed", String(runs));
    say($("record-says"), runs ? `Stop ${time}` : "Record");
  }
}
