/** Root and scale as a wheel of the twelve pitch classes, by fifths: what belongs together lies together. */

import { el, svg } from "./dom.js";
import { pitchClasses } from "./scales.js";
import { rootName } from "./values.js";

const FIFTHS = [0, 7, 2, 9, 4, 11, 6, 1, 8, 3, 10, 5];

export class Wheel {
  element;
  #seats = []; // by pitch class: the label and its radio button
  #shape = svg("polygon", { points: "" });
  #says = el("span", { class: "wheel-says" });
  #sounding = 0;

  /** row: of the root. choose(root): called when another is chosen. */
  constructor(row, choose) {
    const seats = FIFTHS.map((pitchClass) => {
      const root = row.choices[pitchClass];
      const input = el("input", { type: "radio", name: "param-root", value: root, id: `root-${pitchClass}` });
      input.addEventListener("change", () => choose(root));
      const seat = el("label", { class: "seat" }, input, el("span", {}, rootName(root)));
      const [x, y] = at(pitchClass, 42);
      seat.style.left = `${50 + x}%`;
      seat.style.top = `${50 + y}%`;
      this.#seats[pitchClass] = { seat, input };
      return seat;
    });
    const drawing = svg("svg", { viewBox: "-50 -50 100 100", "aria-hidden": "true" });
    drawing.append(svg("circle", { r: 42, class: "rim" }), this.#shape);
    this.element = el(
      "div",
      {
        class: "wheel",
        role: "radiogroup",
        "aria-label": "root",
        "data-param": "root",
        "aria-describedby": "help-root",
      },
      drawing,
      this.#says,
      ...seats,
      el("span", { id: "help-root", hidden: true }, row.help),
    );
  }

  /** Show the scale in force. */
  show(scale, root, lock) {
    const classes = pitchClasses(scale, root);
    const corners = FIFTHS.filter((pitchClass) => (classes >> pitchClass) & 1);
    this.#shape.setAttribute("points", corners.map((one) => at(one, 31).join(",")).join(" "));
    this.element.classList.toggle("locked", lock === "on");
    this.#says.textContent = scale === "off" ? "free" : `${rootName(root)} ${scale}`;
    this.#seats.forEach(({ seat, input }, pitchClass) => {
      seat.classList.toggle("member", ((classes >> pitchClass) & 1) === 1);
      input.checked = input.value === root;
    });
  }

  /** Show the pitch classes that the machine sounds (bit 0 = C). */
  sound(classes) {
    const changed = classes ^ this.#sounding;
    if (!changed) return;
    this.#sounding = classes;
    for (let one = 0; one < 12; one++) {
      if ((changed >> one) & 1)
        this.#seats[one]?.seat.classList.toggle("sounding", ((classes >> one) & 1) === 1);
    }
  }
}

/** Where a pitch class lies, C at the top. */
function at(pitchClass, radius) {
  const angle = (FIFTHS.indexOf(pitchClass) / 12) * 2 * Math.PI - Math.PI / 2;
  return [Math.cos(angle) * radius, Math.sin(angle) * radius];
}
