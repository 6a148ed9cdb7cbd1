/** How the instrument is: ports, meters, counts, the log. */

import { $, el, say } from "./dom.js";

const LOGGED = 100;
const CLOCK = { timeStyle: "medium", hourCycle: "h23" };
const LEAST_MS = 0.01; // the meters' ends, on a logarithmic scale
const MOST_MS = 100;
const METERS = [
  ["lateness", "lateness_ms", "how late its notes are sent"],
  ["step time", "step_ms", "how long the model takes for an event"],
].map(([name, key, about]) => {
  const bounds = { "aria-valuemin": "0", "aria-valuemax": String(MOST_MS), "aria-valuenow": "0" };
  const gauge = el("div", { class: "meter", role: "meter", "aria-label": name, title: about, ...bounds });
  const figure = el("span", { class: "figure" });
  $("meters").append(el("div", { class: "measure" }, el("span", {}, name), gauge, figure));
  return { key, gauge, figure };
});

/** Show a status. */
export function showStatus(status) {
  for (const meter of METERS) showMeter(meter, status[meter.key]);
  const ports = status.ports
    .filter((port) => status.midi || port.wanted) // without a MIDI system no port is waited for but a named one
    .map((port) =>
      el(
        "li",
        { class: port.open ? "open" : "waiting" },
        el("span", { class: "direction" }, port.direction === "input" ? "in" : "out"),
        el("span", {}, port.name ?? port.wanted ?? "any"),
        el("em", {}, port.open ? "connected" : "waiting"),
      ),
    );
  $("ports").replaceChildren(...ports);
  $("ports-empty").hidden = ports.length > 0 || !status.midi;
  $("no-midi").hidden = status.midi;
  const { clock = {} } = status;
  const facts = {
    model: status.model,
    clock: clock.bpm ? `${clock.bpm} bpm${clock.running ? "" : ", stopped"}` : "its own",
    "your notes": status.notes_in,
    "its notes": status.notes_out,
    "times it was late": status.underruns,
    "ports that came back": status.reconnects,
    memory: status.memory_mb && `${Math.round(status.memory_mb)} MB`,
    "plays for": status.uptime_s === undefined ? null : duration(status.uptime_s),
    recording: status.recording?.split(/[\\/]/).at(-1),
  };
  for (const [name, value] of Object.entries(facts)) fact(name, value);
}

/** Show lines of the log: [[time, level, text], ...]; dateOf(time): the Date of a time of the instrument's. */
export function showLog(lines, dateOf) {
  const list = $("log");
  for (const [time, level, text] of lines) {
    const date = dateOf(time);
    const stamp = el("time", { datetime: date.toISOString() }, date.toLocaleTimeString([], CLOCK));
    list.prepend(el("li", { class: level }, stamp, el("span", {}, text)));
  }
  while (list.children.length > LOGGED) list.lastChild.remove();
}

/** Forget what was logged. */
export const clearLog = () => $("log").replaceChildren();

function fact(name, value) {
  const id = `fact-${name.replaceAll(" ", "-")}`;
  let shown = $(id);
  if (!shown) {
    shown = el("dd", { id });
    $("facts").append(el("dt", {}, name), shown);
  }
  say(shown, value == null || value === "" ? "none" : String(value));
}

function showMeter({ gauge, figure }, values) {
  const part = (ms) => Math.min(Math.max(Math.log(ms / LEAST_MS) / Math.log(MOST_MS / LEAST_MS), 0), 1);
  const { p50 = null, p99 = null } = values ?? {};
  gauge.style.setProperty("--half", String(p50 === null ? 0 : part(p50)));
  gauge.style.setProperty("--most", String(p99 === null ? 0 : part(p99)));
  const text = p50 === null ? "nothing yet" : `half within ${short(p50)} ms, 99 % within ${short(p99)} ms`;
  gauge.setAttribute("aria-valuenow", String(p99 ?? 0));
  gauge.setAttribute("aria-valuetext", text);
  say(figure, text);
}

const short = (ms) => Number(ms.toPrecision(2));

function duration(seconds) {
  const whole = Math.floor(seconds);
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (one) => String(one).padStart(2, "0");
  return h ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}
