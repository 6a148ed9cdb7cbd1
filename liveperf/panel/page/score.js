/** The notes that have been played, as columns of numbers: bounded, and nothing is made while they are drawn. */

export const HUMAN = 0;
export const MACHINE = 1;
/** Who plays in a recording that is played back: by who it was. */
export const TAPED = [2, 3];
const SIZE = 8192; // notes; a power of two

export class Score {
  start = new Float64Array(SIZE);
  end = new Float64Array(SIZE); // Infinity while it sounds
  pitch = new Uint8Array(SIZE);
  velocity = new Uint8Array(SIZE);
  who = new Uint8Array(SIZE);
  count = 0; // of all notes ever; the last SIZE are kept, note n at slot n & mask
  mask = SIZE - 1;
  #open = new Int32Array(2 * 16 * 128).fill(-1); // the note that sounds, by who, channel and pitch

  /** The first note that is still kept. */
  get oldest() {
    return Math.max(this.count - SIZE, 0);
  }

  /** A note begins; one that sounds already at that place ends. time: s. */
  on(time, who, channel, pitch, velocity) {
    this.off(time, who, channel, pitch);
    const slot = this.count & this.mask;
    this.start[slot] = time;
    this.end[slot] = Infinity;
    this.pitch[slot] = pitch;
    this.velocity[slot] = velocity;
    this.who[slot] = who;
    this.#open[place(who, channel, pitch)] = this.count++;
  }

  /** It ends. */
  off(time, who, channel, pitch) {
    const at = place(who, channel, pitch);
    const number = this.#open[at];
    this.#open[at] = -1;
    if (number < this.oldest) return;
    const slot = number & this.mask;
    this.end[slot] = Math.max(time, this.start[slot]);
  }

  /** All that sound end, or those of one. */
  endAll(time, who = -1) {
    for (let at = 0; at < this.#open.length; at++) {
      const number = this.#open[at];
      if (number < 0 || (who >= 0 && at >> 11 !== who)) continue;
      this.#open[at] = -1;
      if (number >= this.oldest) this.end[number & this.mask] = time;
    }
  }

  /** What began at a time (s) or later goes, and nothing sounds any more: it is going to be told again. */
  cut(time) {
    this.endAll(time);
    for (; this.count > 0; this.count--) {
      const slot = (this.count - 1) & this.mask;
      if (this.start[slot] < time) return;
      this.start[slot] = this.end[slot] = -Infinity; // what was there before is forgotten anyway
    }
  }

  /** The instrument's clock began anew, `seconds` apart from before. */
  shift(seconds) {
    for (let i = 0; i < SIZE; i++) {
      this.start[i] += seconds;
      this.end[i] += seconds;
    }
  }
}

const place = (who, channel, pitch) => (who << 11) | (((channel - 1) & 15) << 7) | (pitch & 127);

const PLANNED = 256;

/** What the machine means to play: replaced whole, whenever it changes its mind. */
export class Plan {
  start = new Float64Array(PLANNED);
  end = new Float64Array(PLANNED); // Infinity where it does not know yet
  pitch = new Uint8Array(PLANNED);
  velocity = new Uint8Array(PLANNED);
  count = 0;

  /** rows: [[start, pitch, velocity, end or null], ...]. */
  take(rows) {
    this.count = Math.min(rows.length, PLANNED);
    for (let i = 0; i < this.count; i++) {
      const [start, pitch, velocity, end] = rows[i];
      this.start[i] = start;
      this.end[i] = end ?? Infinity;
      this.pitch[i] = pitch;
      this.velocity[i] = velocity;
    }
  }
}
