/** The controls for the parameters, made from the table that the instrument gives. */

import { el, say } from "./dom.js";
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
const ELSEWHERE = ["mode"]; // in the bar at the top
const SETTLE_MS = 300; // what comes back this soon after a change made here is its echo

export class Params {
  values = {};
  #controls = new Map(); // name -> {row, show, element}
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
    const known = new Map(rows.map((row) => [row.name, row]));
    const grouped = new Set([...ELSEWHERE, ...GROUPS.flatMap(([, names]) => names)]);
    const rest = rows.map((row) => row.name).filter((name) => !grouped.has(name));
    this.#controls.clear();
    root.replaceChildren();
    for (const [title, names] of [...GROUPS, ["More", rest]]) {
      const present = names.filter((name) => known.has(name)).map((name) => known.get(name));
      if (!present.length) continue;
      const id = `group-${title.toLowerCase()}`;
      const group = el("section", { class: "group", "aria-labelledby": id }, el("h3", { id }, title));
      if (title === "Harmony" && known.has("root") && known.has("scale")) {
        this.#wheel = new Wheel(known.get("root"), (root) => this.set("root", root));
        group.append(this.#describe(known.get("root"), this.#wheel.element));
        this.#controls.set("root", { row: known.get("root"), show: () => {} });
      }
      for (const row of present) if (!this.#controls.has(row.name)) group.append(this.#make(row));
      root.append(group);
    }
    this.values = {};
    this.update(Object.fromEntries(rows.map((row) => [row.name, row.value])));
  }

  /** Show what is in force. */
  update(values) {
    const before = this.values;
    this.values = values;
    for (const [name, control] of this.#controls) {
      if (name in values && (values[name] !== before[name] || values === before)) control.show(values[name]);
    }
    for (const { row, element } of this.#controls.values()) {
      const [mode] = row.help.match(/^(answer|solo|duet)(?=:)/) ?? [];
      element?.classList.toggle("idle", mode !== undefined && mode !== values.mode);
    }
    this.#wheel?.show(values.scale, values.root, values.key_lock);
  }

  /** Show what is in force once more: what was asked for here was refused. */
  restore() {
    this.update(this.values);
  }

  /** Give one another value. */
  set(name, value) {
    this.#link.set(name, value);
  }

  /** Show which knobs are for what, and which parameter one is being learnt for. */
  showMap(entries, learning) {
    for (const [name, { element }] of this.#controls) {
      if (!element) continue;
      const knobs = entries.filter((entry) => entry.to === name).map((entry) => entry.name);
      const button = element.querySelector(".learn");
      button.classList.toggle("mapped", knobs.length > 0);
      button.setAttribute("aria-pressed", String(learning === name));
      say(button, learning === name ? "move it" : knobs.join(", ") || "learn");
    }
  }

  /** Let the wheel show the pitch classes that sound. */
  sound(classes) {
    this.#wheel?.sound(classes);
  }

  #make(row) {
    const control = row.kind === "choice" ? this.#choice(row) : this.#slider(row);
    const name = label(row.name);
    const help = el("span", { id: `help-${row.name}`, hidden: true }, row.help);
    const learn = el(
      "button",
      { type: "button", class: "learn", "aria-label": `learn ${name}`, "aria-pressed": "false" },
      "learn",
    );
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
    element.firstChild.addEventListener("dblclick", () => this.#reset(row));
    this.#controls.set(row.name, { row, show: control.show, reset: control.reset, element });
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
    let held = false;
    let touched = -Infinity;
    let settling = 0;
    let latest = row.value;
    const settle = (wait) => {
      settling ||= setTimeout(
        () => {
          settling = 0;
          show(latest);
        },
        Math.max(wait, SETTLE_MS),
      );
    };
    const show = (shown) => {
      latest = shown;
      const wait = touched + SETTLE_MS - performance.now();
      if (held || wait > 0) return settle(wait);
      place(shown);
      paint(shown);
    };
    input.addEventListener("input", () => {
      touched = performance.now();
      const wanted = read();
      const value = this.#bounded(row, wanted);
      if (value !== wanted) place(value);
      paint(value);
      this.set(row.name, value);
      settle(0); // if it is refused, nothing comes back
    });
    input.addEventListener("pointerdown", () => (held = true));
    for (const name of ["pointerup", "pointercancel", "blur"])
      input.addEventListener(name, () => (held = false));
    input.addEventListener("dblclick", () => this.#reset(row));
    input.addEventListener("keydown", (event) => {
      if (event.key === "Delete" || event.key === "Backspace") this.#reset(row);
    });
    const reset = (value) => {
      touched = -Infinity;
      held = false;
      show(value);
    };
    return { input, value, show, reset };
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
    this.#controls.get(row.name).reset?.(value);
  }

  /** A value that goes no further than to the parameter that bounds it: the lowest pitch to the highest. */
  #bounded(row, value) {
    const { [row.at_least]: least, [row.at_most]: most } = this.values;
    if (least !== undefined && value < least) return least;
    return most !== undefined && value > most ? most : value;
  }

  /** Say what a control is for while it is at hand. */
  #describe(row, element) {
    const text = `${row.help} Double-click or Delete: ${inWords(row, row.default)}.`;
    const show = () => say(this.#help, text);
    element.addEventListener("pointerenter", show);
    element.addEventListener("focusin", show);
    return element;
  }
}

/** A linear slider's value without the crumbs of binary fractions. */
function cleaned(row, value) {
  return row.kind === "int" ? value : Number(value.toFixed(6));
}
