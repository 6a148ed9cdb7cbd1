/** Whose time is it: the instrument's clock and the sound card's, both told from this page's own (all in s). */

/** This page's clock. */
export const here = () => performance.now() / 1000;

const JUMP_S = 0.1; // an error that is not worth gliding over
const GLIDE = 0.02; // s of correction a second: not seen, not heard

/** The instrument's clock, from pings: of the last few the one that took least knows best. */
export class FarClock {
  #trips = new Float64Array(16).fill(Infinity);
  #offsets = new Float64Array(16);
  #count = 0;
  #target = 0;
  #offset = 0;
  #last = 0;
  set = false;

  /** Begin anew, from one message that came at `received` and said `now`. */
  reset(now, received) {
    this.#trips.fill(Infinity);
    this.#count = 0;
    this.#target = this.#offset = now - received;
    this.#last = received;
    this.set = true;
  }

  /** Take a ping in: sent and received in this page's time, `now` in the instrument's. */
  take(sent, received, now) {
    const slot = this.#count++ % this.#trips.length;
    this.#trips[slot] = received - sent;
    this.#offsets[slot] = now - (sent + received) / 2;
    let best = 0;
    for (let i = 1; i < this.#trips.length; i++) if (this.#trips[i] < this.#trips[best]) best = i;
    this.#target = this.#offsets[best];
  }

  /** The instrument's time at one of this page's. */
  at(time) {
    const error = this.#target - this.#offset;
    const most = Math.max(time - this.#last, 0) * GLIDE;
    this.#last = Math.max(time, this.#last);
    this.#offset += Math.abs(error) > JUMP_S ? error : Math.min(Math.max(error, -most), most);
    return time + this.#offset;
  }
}

/**
 * The audio clock. It moves in steps of a buffer: the latest it has been ahead of this page's clock, of late, is
 * where it is in between.
 */
export class AudioClock {
  #ahead = new Float64Array(64).fill(-Infinity);
  #count = 0;

  /** Look at both clocks now. */
  look(context) {
    const ahead = context.currentTime - here();
    const before = this.#ahead[(this.#count + 63) % 64];
    if (Math.abs(ahead - before) > JUMP_S) this.#ahead.fill(-Infinity); // it has been asleep
    this.#ahead[this.#count++ % 64] = ahead;
  }

  /** The audio clock's time at one of this page's. */
  at(time) {
    let most = -Infinity;
    for (let i = 0; i < 64; i++) if (this.#ahead[i] > most) most = this.#ahead[i];
    return time + most;
  }
}

const LEAST_S = 0.06;
const MOST_S = 0.25;

/** How much later than it was played a note is shown and heard, so that none comes too late; follows jitter. */
export class Latency {
  #delays = new Float64Array(128);
  #count = 0;
  #at = 0;
  seconds = LEAST_S;

  /** A note came `delay` after it was played; `time` is this page's. */
  take(delay, time) {
    this.#delays[this.#count++ % 128] = delay > 1 ? 0 : delay; // a standstill is no jitter
    let [most, second, third] = [0, 0, 0];
    for (let i = 0; i < 128; i++) {
      const one = this.#delays[i];
      if (one > most) [most, second, third] = [one, most, second];
      else if (one > second) [second, third] = [one, second];
      else if (one > third) third = one;
    }
    const wanted = Math.min(Math.max(third + 0.012, LEAST_S), MOST_S); // two of 128 may be late
    const down = Math.max(time - this.#at, 0) * 0.002;
    this.#at = time;
    this.seconds = Math.max(wanted, this.seconds - down);
  }
}
