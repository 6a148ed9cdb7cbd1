/** The controls for the parameters, made from the table that the instrument gives. */

import { el, inscribe, say } from "./dom.js";
import { inWords, isLinear, label, partOf, stepOf, TRAVEL, valueAt } from "./values.js";
import { Wheel } from "./wheel.js";

const GROUPS = [
  ["Character", ["density", "temperature", "top_p", "repeat_guard"]],
  ["Harmony", ["scale", "root", "key_lock", "split"]],
  ["Range", ["lowest_pitch", "highest_pitch", "transpose", "polyphony", "note_limit_s"]],
  ["Loudness", ["loudness", "loudness_spread"]],
  ["Time", ["speed", "reference_bpm", "plan_s"]],
  [
    "Turns",
    [
      "turn_gap_s",
      "answer_length",
      "answer_shortest_s",
      "answer_longest_s",
      "turn_bars",
      "idle_start_s",
      "duet_rest_s",
    ],
  ],
];
const RESETS = ["Delete", "Backspace"];
const ELSEWHERE = ["mode"]; // in the bar at the top
const SETTLE_MS = 300; // so soon after the instrument took what was asked for here, its news may be older than that
const PATIENCE_MS = 2000; // what was asked for here is shown for so long if it says nothing of that

export class Params {
  values = {};
  #controls = new Map(); // name -> {row, show, element}
  #asked = new Map(); // name -> what was asked for here of late: {value, number (of the message), until, timer}
  #wheel = null;
  #link;
  #help;

  /** help: the line that says what the control at hand is for. */
  constructor(link, help) {
    this.#link = link;
    this.#help = help;
  }

  /** Make the controls of a table of rows inside of an element. */
  build(rows, root) {
    const named = new Map(rows.map((row) => [row.name, row]));
    const grouped = new Set([...ELSEWHERE, ...GROUPS.flatMap(([, names]) => names)]);
    const rest = rows.map((row) => row.name).filter((name) => !grouped.has(name));
    for (const { timer } of this.#asked.values()) clearTimeout(timer);
    this.#asked.clear();
    this.#controls.clear();
    root.replaceChildren();
    for (const [title, names] of [...GROUPS, ["More", rest]]) {
      const present = names.filter((name) => named.has(name)).map((name) => named.get(name));
      if (!present.length) continue;
      const id = `group-${title.toLowerCase()}`;
      const group = el("section", { class: "group", "aria-labelledby": id }, el("h3", { id }, title));
      if (title === "Harmony" && named.has("root") && named.has("scale")) {
        this.#wheel = new Wheel(named.get("root"), (root) => this.set("root", root));
        group.append(this.#describe(named.get("root"), this.#wheel.element));
        this.adopt(named.get("root"), () => {});
      }
      for (const row of present) if (!this.#controls.has(row.name)) group.append(this.#make(row));
      root.append(group);
    }
    const known = this.values; // the table may be older than the news
    this.values = {};
    this.update({ ...Object.fromEntries(rows.map((row) => [row.name, row.value])), ...known });
  }

  /** Let a control that was made elsewhere show what is in force, too: show(value). */
  adopt(row, show) {
    this.#controls.set(row.name, { row, show });
    if (row.name in this.values) show(this.values[row.name]);
  }

  /** These are in force: show them, but where something else was just asked for here. */
  update(values) {
    const before = this.values;
    this.values = values;
    for (const name of this.#controls.keys()) if (values[name] !== before[name]) this.#show(name);
    for (const { row, element } of this.#controls.values()) {
      const [mode] = row.help.match(/^(answer|solo|duet)(?=:)/) ?? [];
      element?.classList.toggle("idle", mode !== undefined && mode !== values.mode);
    }
    this.#showWheel();
  }

  /** The instrument has taken what was asked for here, up to a number: what is in force then is soon known. */
  taken(number) {
    for (const [name, asked] of this.#asked) {
      if (asked.number > number) continue;
      asked.until = Math.min(asked.until, performance.now() + SETTLE_MS);
      this.#show(name);
    }
  }

  /** It has refused what was asked for by a number: show what is in force. */
  refused(number) {
    for (const [name, asked] of this.#asked) {
      if (asked.number !== number) continue;
      asked.until = 0;
      this.#show(name);
    }
  }

  /** Give one another value. */
  set(name, value) {
    clearTimeout(this.#asked.get(name)?.timer);
    const number = this.#link.set(name, value);
    this.#asked.set(name, { value, number, until: performance.now() + PATIENCE_MS });
    this.#show(name);
    this.#showWheel();
  }

  /** Show which knobs are for what, and which parameter one is being learnt for. */
  showMap(entries, learning) {
    for (const [name, { element }] of this.#controls) {
      if (!element) continue;
      const knobs = entries.filter((entry) => entry.to === name).map((entry) => entry.name);
      const button = element.querySelector(".learn");
      button.classList.toggle("mapped", knobs.length > 0);
      button.setAttribute("aria-pressed", String(learning === name));
      const text = learning === name ? "move it" : knobs.join(", ") || "learn";
      inscribe(button, text, `learn ${label(name)}`);
    }
  }

  /** Let the wheel show the pitch classes that sound. */
  sound(classes) {
    this.#wheel?.sound(classes);
  }

  /** What was asked for here, for as long as the news may be older; then what is in force. */
  #shown(name) {
    return this.#asked.has(name) ? this.#asked.get(name).value : this.values[name];
  }

  /** Show what is in force, at once or when what was asked for here has had its time. */
  #show(name) {
    const asked = this.#asked.get(name);
    if (asked) {
      clearTimeout(asked.timer);
      const left = asked.until - performance.now();
      if (left > 0) {
        asked.timer = setTimeout(() => this.#show(name), left);
        return;
      }
      this.#asked.delete(name);
      this.#showWheel();
    }
    this.#controls.get(name)?.show(this.values[name]);
  }

  #showWheel() {
    this.#wheel?.show(this.#shown("scale"), this.#shown("root"), this.#shown("key_lock"));
  }

  #make(row) {
    const control = row.kind === "choice" ? this.#choice(row) : this.#slider(row);
    const name = label(row.name);
    const help = el("span", { id: `help-${row.name}`, hidden: true }, row.help);
    const learn = el("button", { type: "button", class: "learn", "aria-pressed": "false" });
    inscribe(learn, "learn", `learn ${name}`);
    learn.title = `${name}: click, then move a knob of your keyboard`;
    learn.addEventListener("click", () => {
      const waits = learn.getAttribute("aria-pressed") === "true";
      this.#link.send({ learn: waits ? null : row.name });
    });
    const element = el(
      "div",
      { class: `param ${row.kind === "choice" ? "choice" : ""}`, "data-param": row.name },
      el("label", { for: `param-${row.name}` }, name),
      control.value,
      learn,
      control.input,
      help,
    );
    this.#controls.set(row.name, { row, show: control.show, element });
    return this.#describe(row, element);
  }

  #slider(row) {
    const [low, high] = row.range;
    const linear = isLinear(row);
    const input = el("input", {
      type: "range",
      id: `param-${row.name}`,
      "aria-describedby": `help-${row.name}`,
      min: linear ? low : 0,
      max: linear ? high : TRAVEL,
      step: linear ? stepOf(row) : 1,
    });
    const value = el("output", { for: `param-${row.name}` });
    const read = () => (linear ? cleaned(row, Number(input.value)) : valueAt(row, input.value / TRAVEL));
    const place = (shown) => (input.value = linear ? shown : Math.round(partOf(row, shown) * TRAVEL));
    const paint = (shown) => {
      const parts = [partOf(row, shown), partOf(row, row.default)].sort((a, b) => a - b);
      input.style.setProperty("--from", String(parts[0]));
      input.style.setProperty("--to", String(parts[1]));
      input.style.setProperty("--default", String(partOf(row, row.default)));
      const text = inWords(row, shown);
      say(value, text);
      input.setAttribute("aria-valuetext", text);
      value.classList.toggle("changed", shown !== row.default);
    };
    let held = false; // it stays under the hand
    const show = (shown) => {
      if (held) return;
      place(shown);
      paint(shown);
    };
    input.addEventListener("input", () => {
      const wanted = read();
      const value = this.#bounded(row, wanted);
      if (value !== wanted) place(value);
      paint(value);
      this.set(row.name, value);
    });
    input.addEventListener("pointerdown", () => (held = true));
    for (const name of ["pointerup", "pointercancel", "blur"])
      input.addEventListener(name, () => {
        held = false;
        this.#show(row.name);
      });
    return { input, value, show };
  }

  #choice(row) {
    const id = `param-${row.name}`;
    const help = `help-${row.name}`;
    if (row.choices.length === 2 && row.choices.includes("on")) {
      const input = el("input", {
        type: "checkbox",
        role: "switch",
        id,
        class: "switch",
        "aria-describedby": help,
      });
      input.addEventListener("change", () => this.set(row.name, input.checked ? "on" : "off"));
      return { input, value: el("span"), show: (value) => (input.checked = value === "on") };
    }
    const options = row.choices.map((choice) => el("option", { value: choice }, choice));
    const input = el("select", { id, "aria-describedby": help }, ...options);
    input.addEventListener("change", () => this.set(row.name, input.value));
    return { input, value: el("span"), show: (value) => (input.value = value) };
  }

  #reset(row) {
    const value = this.#bounded(row, row.default);
    this.set(row.name, value);
    this.#controls.get(row.name).show(value);
  }

  /** A value that goes no further than to the parameter that bounds it: the lowest pitch to the highest. */
  #bounded(row, value) {
    const [least, most] = [row.at_least, row.at_most].map((bound) => this.#shown(bound));
    if (least !== undefined && value < least) return least;
    return most !== undefined && value > most ? most : value;
  }

  /** Say what a control is for while it is at hand, and set it back as that says. */
  #describe(row, element) {
    const text = `${row.help} Double-click or Delete: ${inWords(row, row.default)}.`;
    const show = () => say(this.#help, text);
    element.addEventListener("pointerenter", show);
    element.addEventListener("focusin", show);
    const reset = ({ target }) => target.closest(".learn") ?? this.#reset(row);
    element.addEventListener("dblclick", reset);
    element.addEventListener("keydown", (event) => RESETS.includes(event.key) && reset(event));
    return element;
  }
}

/** A linear slider's value without the crumbs of binary fractions. */
function cleaned(row, value) {
  return row.kind === "int" ? value : Number(value.toFixed(6));
}
