/** Which knob is for what: the list, learning a new one, taking one out. */

import { $, el, inscribe, relist, say } from "./dom.js";
import { notify } from "./notices.js";
import { inWords, label } from "./values.js";

export class Mapping {
  entries = [];
  learning = null;
  #hint = null; // why what moves is not taken
  #rows = new Map(); // by name
  #link;
  #params;

  constructor(link, params) {
    this.#link = link;
    this.#params = params;
    $("learn").addEventListener("click", () => this.#learn());
    $("learn-what").addEventListener("change", () => this.#showKinds());
  }

  /** Offer the parameters of a table, whose controls there are by now; and the instrument's actions and encoders. */
  build(rows, { actions, encoders }) {
    this.#rows = new Map(rows.map((row) => [row.name, row]));
    const option = (name, title) => el("option", { value: name, title }, label(name));
    $("learn-what").replaceChildren(
      el("optgroup", { label: "parameters" }, ...rows.map((row) => option(row.name, row.help))),
      el("optgroup", { label: "actions" }, ...Object.entries(actions).map((one) => option(...one))),
    );
    $("learn-how").replaceChildren(
      el("option", { value: "" }, "knob or button"),
      ...encoders.map((name) => el("option", { value: name }, `endless, ${label(name)}`)),
    );
    this.#showKinds();
    this.#show();
  }

  setMap(entries) {
    this.entries = entries;
    this.#show();
  }

  /**
   * learning: the parameter's or action's name, or null; the message also has why what moves is not taken, what was
   * learnt or unlearnt, and which file has it.
   */
  setLearning(learning, { hint = null, learned, unlearned, written }) {
    this.learning = learning;
    this.#hint = hint;
    const where = written ? `: written to ${written}` : "";
    if (learned) notify(`${learned.name} is for ${label(learned.to)}${where}.`);
    if (unlearned) notify(`${unlearned.name} is for nothing${where}.`);
    if (hint && $("knobs").hidden) notify(`${hint}.`);
    this.#show();
  }

  #learn() {
    const encoder = $("learn-how").disabled ? "" : $("learn-how").value;
    const wanted = { to: $("learn-what").value, ...(encoder && { encoder }) };
    this.#link.send({ learn: this.learning ? null : wanted });
  }

  /** An action is pressed: an endless knob is not for it. */
  #showKinds() {
    $("learn-how").disabled = !this.#rows.has($("learn-what").value);
  }

  #show() {
    this.#params.showMap(this.entries, this.learning);
    say($("learn"), this.learning ? "Give up" : "Learn");
    $("learn-says").hidden = !this.learning;
    const hint = this.#hint ? ` ${this.#hint}.` : "";
    if (this.learning) say($("learn-says"), `Move the knob that is to be for ${label(this.learning)}.${hint}`);
    const rows = this.entries.map((entry) => {
      const said = [entry.name, label(entry.to), details(entry, this.#rows.get(entry.to)).join(", ")];
      return [said.join("\n"), () => this.#row(...said)];
    });
    relist($("map"), rows);
    $("map-empty").hidden = rows.length > 0;
  }

  #row(name, to, more) {
    const remove = el("button", { type: "button", class: "quiet" });
    inscribe(remove, "Remove", `remove ${name}`);
    remove.addEventListener("click", () => this.#link.send({ unlearn: name }));
    return el(
      "li",
      {},
      el("span", { class: "knob" }, name),
      el("span", { class: "to" }, to, more && el("small", {}, more)),
      remove,
    );
  }
}

/** What else there is to say of a knob: the keys of its entry in a map file, in words. row: of a parameter. */
function details(entry, row) {
  if (!row) return []; // an action is simply pressed
  const word = (value) => inWords(row, value);
  const values = entry.values ?? ("value" in entry ? [entry.value] : []);
  if (entry.button) return [`${BUTTONS[entry.button]} ${values.map(word).join(" and ")}`.trim()];
  const { range, encoder } = entry;
  return [
    row.choices.length ? values.join(", ") : range && `${inWords({ ...row, unit: "" }, range[0])} to ${word(range[1])}`,
    entry.curve,
    entry.centre !== undefined && `${word(entry.centre)} at rest`,
    entry.pick_up && "picks up",
    encoder && `endless, ${label(encoder)}`,
    entry.tick !== undefined && `${Number((100 * entry.tick).toFixed(1))} % a tick`,
  ].filter(Boolean);
}

const BUTTONS = { set: "a press gives", toggle: "switches", momentary: "while held" };
