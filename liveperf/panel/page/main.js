/** The panel: what comes from the instrument goes to the parts of the page, and the frames run. */

import { Audio } from "./audio.js";
import { Beats } from "./beats.js";
import { here, Latency } from "./clocks.js";
import { $, ask, recall, remember, say } from "./dom.js";
import { Hands } from "./hands.js";
import { bringKeys } from "./keys.js";
import { Link } from "./link.js";
import { isDark, onLook, switchTheme } from "./look.js";
import { Manual, playable } from "./manual.js";
import { Mapping } from "./mapping.js";
import { banner, bannerWaits, notify, takeFiles } from "./notices.js";
import { Params } from "./params.js";
import { Playing } from "./playing.js";
import { Roll } from "./roll.js";
import { clearLog, showLog, showStatus } from "./room.js";
import { takeScales } from "./scales.js";
import { HUMAN, MACHINE, Plan, Score } from "./score.js";
import { bringTabs } from "./tabs.js";
import { Takes } from "./takes.js";
import { Transport } from "./transport.js";

const WHO = { human: HUMAN, machine: MACHINE };
const IS_HERE = ["localhost", "127.0.0.1", "[::1]"].includes(location.hostname); // the instrument, on this machine
const score = new Score();
const plan = new Plan();
const beats = new Beats();
const latency = new Latency();
let hello = null; // what the instrument said of itself when it greeted last
let shownAt = 0; // the time that the roll shows

const link = new Link({
  open: opened,
  closed,
  hello: greeted,
  params: (values) => {
    params.update(values);
    roll.setParams(values);
    transport.showState();
  },
  status: (status) => {
    showStatus(status);
    leaveOut(status.ports);
    transport.setStatus(status);
  },
  state: (state) => transport.setState(state),
  take: (since) => transport.setTake(since),
  beat: (beat) => beats.take(beat),
  notes: heard,
  pedal: (rows) =>
    rows.forEach(([time, value]) => playing.isPedalEcho(value >= 64) || audio.pedal(value >= 64, time)),
  past: reminded,
  plan: (rows) => plan.take(rows),
  log: (lines) => showLog(lines, dateOf),
  map: (entries) => mapping.setMap(entries),
  learning: (name, message) => mapping.setLearning(name, message),
  recordings: () => takes.changed(),
  done: (number) => params.taken(number),
  error: (text, { refused }) => {
    notify(text, "error");
    params.refused(refused);
  },
});
const audio = new Audio(link, latency, () => {
  hands.showSound();
  if (!audio.on) takes.mute();
});
const params = new Params(link, $("help"));
const mapping = new Mapping(link, params);
const takes = new Takes(audio, notify);
const transport = new Transport(link, params, notify);
const roll = new Roll($("back"), $("front"), $("edge"), score, plan, beats);
const playing = new Playing(link, audio, () => hands.showPlaying());
const manual = new Manual($("manual"), playing.press, playing.release);
const hands = new Hands(audio, playing, manual);

// What the instrument says.

function opened(shift) {
  banner(null);
  playing.forget();
  clearLog(); // its last lines come with the greeting
  if (Math.abs(shift) > 1) score.shift(shift); // another start of the instrument, with another clock
  fetchTable();
  takes.changed();
}

function closed(wait, was) {
  if (was) {
    score.endAll(link.now() - latency.seconds);
    plan.take([]);
    beats.take(null);
    audio.silence();
    playing.lift();
  }
  if (was) banner("The instrument is gone.");
  else if ($("banner").hidden) banner("The instrument does not answer.");
  if (!was) explain();
  bannerWaits(wait);
  $("turn").dataset.turn = "nobody";
  say($("says"), "away");
}

/** Say why it does not let this page in, if it is there. */
async function explain() {
  const response = await fetch("api/status", { cache: "no-store" }).catch(() => null);
  if (response === null || response.ok || link.connected) return;
  const said = await response.json().catch(() => null);
  const token = "Open the address that it printed when it started: the one with ?token= in it.";
  banner(response.status === 401 ? token : (said?.error ?? `It answers ${response.status}.`));
}

function greeted(said) {
  if (hello !== null && hello.version !== said.version) location.reload(); // its page is another, too
  hello = said;
  document.title = hello.name ? `${hello.name} · liveperf` : "liveperf";
  $("version").textContent = `liveperf ${hello.version}`;
  takeScales(hello);
}

/** Its own MIDI ports are no keyboards of this computer's, nor are those that it hears here itself. */
function leaveOut(ports) {
  const own = hello.name.toLowerCase();
  const heard = ports.filter((port) => port.open && port.direction === "input" && IS_HERE);
  const names = heard.map((port) => port.name.toLowerCase());
  playing.leaveOut((name) => {
    const wanted = name.toLowerCase();
    return wanted.startsWith(own) || names.some((one) => one.includes(wanted));
  });
}

/** The Date of a time of the instrument's. */
const dateOf = (time) => new Date(Date.now() - 1000 * (link.now() - time));

function heard(rows, { now }) {
  audio.look(); // there are no frames while the page is hidden
  for (const [time, name, channel, pitch, velocity] of rows) {
    const who = WHO[name] ?? MACHINE;
    if (typeof now === "number") latency.take(link.now() - time, here());
    draw(time, who, channel, pitch, velocity);
    if (who === HUMAN && playing.isEcho(pitch, velocity)) continue; // it sounded as it was played
    audio.note(time, who, pitch, velocity);
  }
}

/** What was played of late, since a time, before this page looked on: it is seen, and not heard. */
function reminded({ since, notes, pedal }) {
  score.cut(since);
  for (const [time, name, ...note] of notes) draw(time, WHO[name] ?? MACHINE, ...note);
  audio.pedal(pedal >= 64);
}

function draw(time, who, channel, pitch, velocity) {
  if (velocity === 0) {
    score.off(time, who, channel, pitch);
    return;
  }
  score.on(time, who, channel, pitch, velocity);
  roll.reveal(pitch);
  if (who === HUMAN) $("hint").hidden = true;
}

async function fetchTable() {
  try {
    const rows = await ask("api/params");
    const known = [...document.querySelectorAll("#params [data-param]")].map((one) => one.dataset.param);
    if (rows.some((row) => row.name !== "mode" && !known.includes(row.name))) {
      params.build(rows, $("params"));
      transport.build(rows.find((row) => row.name === "mode"));
      mapping.build(rows, hello);
      roll.setParams(params.values);
    }
    await transport.listPresets();
  } catch (error) {
    notify(`The parameters cannot be asked for: ${error.message}`, "error");
  }
}

// What is done on the page.

function panic() {
  takes.silence();
  audio.silence();
  playing.lift();
  link.send({ do: "panic" });
}

bringKeys({ panic, turn: () => link.send({ do: "turn" }), zoom: (factor) => roll.zoom(factor) });
$("panic").addEventListener("click", panic);
$("theme").addEventListener("click", switchTheme);
onLook(() => $("theme").setAttribute("aria-pressed", String(isDark())));
$("retry").addEventListener("click", () => link.retry());
$("fold").addEventListener("click", () => fold(!document.body.classList.contains("folded")));
playable(
  $("edge"),
  new Map(),
  ({ offsetX, offsetY }) => ({
    pitch: roll.pitchAt(offsetY),
    velocity: 50 + 60 * (offsetX / $("edge").clientWidth),
  }),
  playing.press,
  playing.release,
);
takeFiles();
bringTabs($("tabs"), (panel) => takes.show(panel === "recordings"));
fold(recall("folded", false));
if (location.search.includes("token=")) history.replaceState(null, "", location.pathname); // a cookie has it

function fold(folded) {
  document.body.classList.toggle("folded", folded);
  $("fold").setAttribute("aria-expanded", String(!folded));
  remember("folded", folded);
}

// Frames.

const shownKeys = new Uint8Array(128);
const times = new Float32Array(512); // how long the last frames took, ms
let frames = 0;

function frame() {
  requestAnimationFrame(frame);
  const began = performance.now();
  audio.look();
  if (link.connected) shownAt = link.now() - latency.seconds;
  roll.draw(shownAt, transport.turn, hello?.now ?? 0);
  transport.draw(shownAt);
  let classes = 0;
  for (let pitch = 0; pitch < 128; pitch++) {
    const lit = roll.lit[pitch];
    shownKeys[pitch] = playing.held[pitch] ? lit | 1 : lit;
    if (lit & 2) classes |= 1 << (pitch % 12);
  }
  manual.show(shownKeys);
  params.sound(classes);
  times[frames++ % times.length] = performance.now() - began;
}
requestAnimationFrame(frame);

/** For tests and for the curious. */
window.liveperf = {
  audio,
  beats,
  get now() {
    return shownAt;
  },
  get state() {
    return transport.state;
  },
  get connected() {
    return link.connected;
  },
  get params() {
    return params.values;
  },
  get notes() {
    return score.count;
  },
  /** The pitches whose keys are lit. */
  get lit() {
    return [...roll.lit.keys()].filter((pitch) => roll.lit[pitch]);
  },
  get planned() {
    return plan.count;
  },
  get latency() {
    return latency.seconds;
  },
  /** How many frames there were, and how long (ms) the last ones took to draw: median, 99th percentile, most. */
  get frames() {
    const kept = times.slice(0, Math.min(frames, times.length)).sort();
    const at = (part) => kept[Math.min(Math.floor(part * kept.length), kept.length - 1)] ?? 0;
    return { count: frames, p50: at(0.5), p99: at(0.99), max: at(1) };
  },
};
