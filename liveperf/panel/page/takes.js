/** The recordings: listed with small piano rolls, played back here, downloaded, deleted. */

import { $, ask, el, inscribe, relist, say } from "./dom.js";
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
    const comes = open && !this.#open;
    this.#open = open;
    if (comes || (open && this.#stale)) this.#list(); // one that is written goes on without being told of
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
      relist(
        $("takes"),
        takes.slice(0, SHOWN).map((take) => [JSON.stringify(take), () => this.#row(take)]),
      );
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
    const path = pathOf(take);
    const start = new Date(take.start);
    const title = start.toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
    const head = el("span", { class: "playhead" });
    const play = el("button", { type: "button" });
    inscribe(play, "Play", `play ${name}`);
    play.addEventListener("click", () => this.#toggle(take, play, head));
    const remove = el("button", { type: "button", class: "quiet" });
    inscribe(remove, "Delete", `delete ${name}`);
    remove.addEventListener("click", () => this.#delete(take, remove));
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

  async #toggle(take, button, head) {
    const mine = this.#player?.button === button;
    this.silence();
    if (mine) return;
    const click = (this.#wanted = {});
    try {
      const rows = await ask(`${pathOf(take)}.json`);
      if (click === this.#wanted && !this.#audio.on) await this.#audio.turnOn();
      if (click !== this.#wanted) return;
      this.#player = new Player(rows, this.#audio, take.name, button, head, () => this.silence());
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

  /** There is no sound any more: what is played back ends. */
  mute() {
    if (this.#player) this.silence();
  }

  async #delete(take, button) {
    const about = `delete ${take.name}`;
    if (button.dataset.sure === undefined) {
      button.dataset.sure = "";
      inscribe(button, "Really?", about);
      setTimeout(() => {
        delete button.dataset.sure;
        inscribe(button, "Delete", about);
      }, SURE_MS);
      return;
    }
    try {
      await ask(pathOf(take), { method: "DELETE" }); // that the list is another all pages are told
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
  #name;
  #ended;

  /** ended: called when all of it has been played. */
  constructor(rows, audio, name, button, head, ended) {
    this.#name = name;
    this.#ended = ended;
    this.#rows = rows;
    this.#audio = audio;
    this.#head = head;
    this.button = button;
    this.#began = audio.context.currentTime + 0.15 - (rows[0]?.[0] ?? 0);
    this.#seconds = rows.at(-1)?.[0] ?? 0;
    this.#timer = setInterval(() => this.#go(), EACH_MS);
    button.classList.add("on");
    inscribe(button, "Stop", `stop ${name}`);
    this.#go();
  }

  stop() {
    clearInterval(this.#timer);
    this.#audio.silenceTaped();
    this.button.classList.remove("on");
    inscribe(this.button, "Play", `play ${this.#name}`);
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

const pathOf = (take) => `api/recordings/${encodeURIComponent(take.name)}`;

const length = (seconds) => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;
