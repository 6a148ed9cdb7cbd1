/** A row of the parameter table as a slider shows it: `liveperf/params.py` has the same curves. */

const NAMES = ["C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B"];
const FIRST = 1 / 127; // a knob's first step, where one that begins with "off" leaves it
export const TRAVEL = 1000; // positions of an exponential slider

/** A pitch in words: 60 is C4. */
export const pitchName = (pitch) => `${NAMES[pitch % 12]}${Math.floor(pitch / 12) - 1}`;

/** A pitch class in words, for a root as the instrument writes it. */
export const rootName = (root) => root.replace("#", "♯").replace(/(?<=[A-G])b/, "♭");

/** A parameter in words: `turn_gap_s` is "turn gap". */
export const label = (name) => name.replace(/_s$/, "").replaceAll("_", " ");

const isPitch = (row) => row.kind === "int" && (row.name.endsWith("_pitch") || row.name === "split");

/** Whether a slider of this row moves along the values themselves; else along TRAVEL positions. */
export const isLinear = (row) => row.curve !== "exponential";

/** The step of a linear slider: a round number, about a thousandth of the range. */
export function stepOf(row) {
  if (row.kind === "int") return 1;
  const [low, high] = row.range;
  const least = (high - low) / TRAVEL;
  const power = 10 ** Math.floor(Math.log10(least));
  return [1, 2, 5, 10].map((one) => one * power).find((one) => one >= least * 0.999);
}

/** The value at a part (0 to 1) of a slider's travel. */
export function valueAt(row, part) {
  const [low, high] = row.range;
  let value;
  if (part >= 1) value = high;
  else if (isLinear(row)) value = low + part * (high - low);
  else if (low > 0) value = low * (high / low) ** part;
  else if (part <= 0) value = 0;
  else value = least(row) * (high / least(row)) ** ((part - FIRST) / (1 - FIRST));
  value = Math.min(Math.max(value, low), high);
  if (row.kind === "int") return Math.round(value);
  if (value === high || value === low) return value;
  return isLinear(row) ? Number(value.toFixed(6)) : Number(value.toPrecision(3));
}

/** Where a value lies on a slider's travel, 0 to 1. */
export function partOf(row, value) {
  const [low, high] = row.range;
  if (value <= low) return 0;
  if (value >= high) return 1;
  if (isLinear(row)) return (value - low) / (high - low);
  if (low > 0) return Math.log(value / low) / Math.log(high / low);
  return Math.max(
    FIRST + (Math.log(value / least(row)) / Math.log(high / least(row))) * (1 - FIRST),
    FIRST / 2,
  );
}

/** A value in words, with its unit. */
export function inWords(row, value) {
  if (row.kind === "choice") return String(value);
  if (isPitch(row)) return row.name === "split" && value === 0 ? "none" : pitchName(value);
  const number = row.kind === "int" ? value : Number(value.toPrecision(3));
  const sign = row.range[0] < 0 && value > 0 ? "+" : "";
  return `${sign}${number}${row.unit ? ` ${row.unit}` : ""}`.replace("-", "−");
}

function least(row) {
  const high = row.range[1];
  return high > 1 ? 1 : high / 100;
}
