/** The recordings: listed with small piano rolls, played back here, downloaded, deleted. */

import { $, ask, el, say } from "./dom.js";
import { HUMAN, MACHINE } from "./score.js";

const AHEAD_S = 1.5; // how far ahead notes are handed to the audio clock: a hidden page's timers come each second
const EACH_MS = 250;
const SURE_MS = 3000;
const SHOWN = 200;

export class Takes {
  #audio;
  #notify;
  #wanted = null; // the click that is answered: the latest, until it is silenced
  #player = null;
  #open = false;
  #stale = true;
  #asked = 0; // how often for the list

  /** notify(text, kind). */
  constructor(audio, notify) {
    this.#audio = audio;
    this.#notify = notify;
  }

  /** The list is to be seen, or no more: it is only asked for while it is. */
  show(open) {
    this.#open = open;
    if (open && this.#stale) this.#list();
  }

  /** It has changed. */
  changed() {
    this.#stale = true;
    if (this.#open) this.#list();
  }

  async #list() {
    if (this.#wanted) return; // its button would go
    const asked = ++this.#asked;
    this.#stale = false;
    if ($("takes").children.length === 0) this.#say("Looking...");
    try {
      const takes = await ask("api/recordings");
      if (asked !== this.#asked) return;
      if (this.#wanted) {
        this.#stale = true;
        return;
      }
      takes.sort((a, b) => (a.start < b.start ? 1 : -1));
      $("takes").replaceChildren(...takes.slice(0, SHOWN).map((take) => this.#row(take)));
      const more = `These are the newest ${SHOWN}: liveperf recordings lists all.`;
      this.#say(takes.length > SHOWN ? more : takes.length ? "" : "None yet.");
    } catch (error) {
      if (asked !== this.#asked) return;
      this.#stale = true;
      this.#say(`The recordings cannot be listed: ${error.message}`);
    }
  }

  /** Say something below the list. */
  #say(text) {
    $("takes-empty").hidden = !text;
    say($("takes-empty"), text);
  }

  #row(take) {
    const { name } = take;
    const path = `api/recordings/${encodeURIComponent(name)}`;
    const start = new Date(take.start);
    const title = start.toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
    const head = el("span", { class: "playhead" });
    const play = el(
      "button",
      { type: "button", "aria-label": `play ${name}`, "aria-pressed": "false" },
      "Play",
    );
    play.addEventListener("click", () => this.#toggle(path, play, head));
    const remove = el("button", { type: "button", class: "quiet", "aria-label": `delete ${name}` }, "Delete");
    remove.addEventListener("click", () => this.#delete(path, remove));
    return el(
      "li",
      { class: "take" },
      el(
        "div",
        { class: "thumb" },
        el("img", {
          src: `${path}.svg`,
          alt: `piano roll of ${name}`,
          loading: "lazy",
          width: 320,
          height: 80,
        }),
        head,
      ),
      el("strong", {}, title, take.written ? el("em", {}, " being written") : null),
      el("small", {}, `${length(take.seconds)} · you ${take.human} · it ${take.machine} notes · ${take.model}`),
      el(
        "div",
        { class: "row" },
        play,
        el(
          "a",
          { class: "button", href: `${path}.mid`, download: `${name}.mid`, "aria-label": `download ${name}` },
          "Download",
        ),
        remove,
      ),
    );
  }

  async #toggle(path, button, head) {
    const mine = this.#player?.button === button;
    this.silence();
    if (mine) return;
    const click = (this.#wanted = {});
    try {
      const rows = await ask(`${path}.json`);
      if (click === this.#wanted && !this.#audio.on) await this.#audio.turn(true);
      if (click !== this.#wanted) return;
      this.#player = new Player(rows, this.#audio, button, head, () => this.silence());
    } catch (error) {
      if (click !== this.#wanted) return;
      this.silence();
      this.#notify(error.message, "error");
    }
  }

  /** Stop what is played back, or is about to be. */
  silence() {
    this.#wanted = null;
    this.#player?.stop();
    this.#player = null;
    this.show(this.#open);
  }

  async #delete(path, button) {
    if (button.dataset.sure === undefined) {
      button.dataset.sure = "";
      say(button, "Really?");
      setTimeout(() => {
        delete button.dataset.sure;
        say(button, "Delete");
      }, SURE_MS);
      return;
    }
    try {
      await ask(path, { method: "DELETE" }); // that the list is another all pages are told
    } catch (error) {
      this.#notify(error.message, "error");
    }
  }
}

/** Hands the notes and the pedal of a recording to the audio clock, a little ahead. */
class Player {
  #rows;
  #audio;
  #next = 0;
  #began;
  #timer;
  #head;
  #seconds;
  #ended;

  /** ended: called when all of it has been played. */
  constructor(rows, audio, button, head, ended) {
    this.#ended = ended;
    this.#rows = rows;
    this.#audio = audio;
    this.#head = head;
    this.button = button;
    this.#began = audio.context.currentTime + 0.15 - (rows[0]?.[0] ?? 0);
    this.#seconds = rows.at(-1)?.[0] ?? 0;
    this.#timer = setInterval(() => this.#go(), EACH_MS);
    button.setAttribute("aria-pressed", "true");
    say(button, "Stop");
    this.#go();
  }

  stop() {
    clearInterval(this.#timer);
    this.#audio.silenceTaped();
    this.button.setAttribute("aria-pressed", "false");
    say(this.button, "Play");
    this.#head.style.transform = "";
  }

  #go() {
    const now = this.#audio.context.currentTime - this.#began;
    while (this.#next < this.#rows.length && this.#rows[this.#next][0] < now + AHEAD_S) {
      const [time, name, , pitch, value] = this.#rows[this.#next++];
      const at = this.#began + time;
      const who = name === "human" ? HUMAN : MACHINE;
      if (pitch === null) this.#audio.pedalTaped(at, who, value >= 64);
      else this.#audio.noteTaped(at, who, pitch, value);
    }
    this.#head.style.transform = `translateX(${(100 * now) / Math.max(this.#seconds, 0.1)}%)`;
    if (now > this.#seconds + 2) this.#ended();
  }
}

const length = (seconds) => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;
