/**
 * One piano tone, computed: modes of a stiff string, struck; and the room it sounds in. Pure functions.
 *
 * The partials are stretched as a piano's are: f(n) = n f0 sqrt(1 + B n^2), B by pitch after Rigaud, David and
 * Daudet, "A parametric model and estimation techniques for the inharmonicity and tuning of the piano", JASA 133
 * (2013). Each is two modes a fraction of a cent apart, one that dies soon and one that rings on: the stages of
 * the decay, and the slow beating, after Weinreich, "Coupled piano strings", JASA 62 (1977).
 */

const TAU = 2 * Math.PI;

/** The frequency (Hz) of a pitch. */
export const frequency = (pitch) => 440 * 2 ** ((pitch - 69) / 12);

/** How stiff the strings of a pitch are. */
const stiffness = (pitch) => Math.exp(0.0926 * pitch - 13.64) + Math.exp(-0.0847 * pitch - 5.82);

/** How long (s) a tone of a pitch lasts. */
const lengthOf = (pitch) => Math.min(Math.max(12 * 2 ** (-(pitch - 33) / 28), 1.6), 9);

/** A tone, struck hard, as [left, right] samples. rate: samples a second. */
export function renderTone(pitch, rate) {
  const random = generator(pitch);
  const size = Math.round(lengthOf(pitch) * rate);
  const left = new Float32Array(size);
  const right = new Float32Array(size);
  const f0 = frequency(pitch);
  const stiff = stiffness(pitch);
  const prompt = 13 * 2 ** (-(pitch - 24) / 19); // s to die down by 60 dB
  const slope = 0.45 + 0.6 * Math.min(Math.max((pitch - 24) / 40, 0), 1);
  const struck = 0.122 - 0.0006 * (pitch - 21); // where the hammer hits, of the string
  const soft = 1500 + 3 * f0; // Hz: what the felt swallows lies above
  for (let n = 1; n <= 80; n++) {
    const f = n * f0 * Math.sqrt(1 + stiff * n * n);
    if (f > Math.min(0.45 * rate, 12000)) break;
    const felt = (1 + (f / soft) ** 2) ** -1.15;
    const board = (f * f) / (f * f + 75 * 75); // a soundboard radiates little bass
    const comb = 0.06 + Math.abs(Math.sin(Math.PI * n * struck));
    const level = felt * board * comb * n ** -slope * (0.8 + 0.4 * random());
    const decay = prompt / (1 + 0.09 * (n - 1) + (f / 3800) ** 1.6);
    const cents = 0.12 + 0.35 * random();
    const pan = 0.5 + 0.3 * (random() - 0.5);
    addMode(left, right, rate, f, level * 0.8, decay, 0, pan);
    addMode(left, right, rate, f * 2 ** (cents / 1200), level * 0.26, decay * 3.6, 0.6 * random(), 1 - pan);
  }
  const loudest = peak(left, right);
  addKnock(left, right, rate, pitch, loudest, random);
  finish(left, right, rate, pitch, 0.8 / peak(left, right));
  return [left, right];
}

/** The room, as [left, right] samples of its answer to a click. */
export function renderRoom(rate) {
  const random = generator(7);
  const size = Math.round(1.5 * rate);
  const sides = [new Float32Array(size), new Float32Array(size)];
  for (const samples of sides) {
    let dull = 0;
    for (let i = 0; i < size; i++) {
      const time = i / rate;
      const cutoff = 0.55 * Math.exp(-time * 3.2) + 0.04; // high notes are swallowed first
      dull += cutoff * ((random() * 2 - 1) * Math.exp(-time * 5.2) - dull);
      samples[i] = time < 0.009 ? 0 : dull * Math.min((time - 0.009) * 60, 1);
    }
    for (let n = 0; n < 9; n++) {
      samples[Math.round((0.009 + 0.05 * random()) * rate)] += 0.35 * (random() - 0.5); // walls
    }
  }
  return sides;
}

/** A sine that dies down, by recursion: two multiplications a sample. */
function addMode(left, right, rate, f, level, decay, phase, pan) {
  const w = (TAU * f) / rate;
  const r = 10 ** (-3 / (decay * rate));
  const a = 2 * r * Math.cos(w);
  const b = -r * r;
  const size = Math.min(left.length, Math.round(decay * rate * 1.4));
  const toLeft = level * Math.cos((pan * Math.PI) / 2);
  const toRight = level * Math.sin((pan * Math.PI) / 2);
  let before = Math.sin(phase - w) / r;
  let now = Math.sin(phase);
  for (let i = 0; i < size; i++) {
    left[i] += toLeft * now;
    right[i] += toRight * now;
    const next = a * now + b * before;
    before = now;
    now = next;
  }
}

/** The hammer meets the string, and the key its bed: short modes of wood, and the noise of the felt. */
function addKnock(left, right, rate, pitch, loudest, random) {
  const level = loudest * (0.045 + 0.0006 * Math.max(pitch - 48, 0));
  for (let n = 0; n < 14; n++) {
    const f = 85 * 2 ** (4.4 * random());
    addMode(left, right, rate, f, level * (0.3 + random()), 0.05 + 0.16 * random(), 0, 0.2 + 0.6 * random());
  }
  let dull = 0;
  const size = Math.round(0.05 * rate);
  for (let i = 0; i < size; i++) {
    dull += 0.3 * (random() * 2 - 1 - dull);
    const noise = level * 1.6 * dull * Math.exp(-i / (0.007 * rate));
    left[i] += noise;
    right[i] += 0.8 * noise;
  }
}

/** To its loudness, with an onset as soft as the felt, and an end. */
function finish(left, right, rate, pitch, gain) {
  const onset = rate * (0.0035 - 0.000022 * (pitch - 21));
  const size = left.length;
  const ending = Math.round(0.25 * size);
  for (let i = 0; i < size; i++) {
    const rise = i < onset ? 0.5 - 0.5 * Math.cos((Math.PI * i) / onset) : 1;
    const fall = i > size - ending ? (size - i) / ending : 1;
    left[i] *= gain * rise * fall;
    right[i] *= gain * rise * fall;
  }
}

function peak(...sides) {
  let most = 1e-9;
  for (const samples of sides)
    for (let i = 0; i < samples.length; i++) most = Math.max(most, Math.abs(samples[i]));
  return most;
}

/** Random numbers from 0 to 1, the same for each seed: Mulberry32, by Tommy Ettinger (public domain). */
function generator(seed) {
  let state = seed * 2654435761;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
