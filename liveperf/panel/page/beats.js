/** The beats of the MIDI clock: where they were, and where they will be at this tempo. */

const KEPT = 256;

export class Beats {
  followed = false; // whether there is a clock, and a song that runs
  length = 1; // of a beat, s
  #times = new Float64Array(KEPT);
  #numbers = new Int32Array(KEPT);
  #count = 0; // of all beats, the last KEPT of which are there

  /** What the instrument says of the last beat: {number, at, bpm}; null: there are no beats any more. */
  take(beat) {
    this.followed = beat !== null;
    if (beat === null) {
      this.#count = 0;
      return;
    }
    // What was told of this moment before is known better now, where the tempo was only just found.
    while (this.#count > 0 && this.#times[(this.#count - 1) % KEPT] > beat.at - 30 / beat.bpm) this.#count--;
    const slot = this.#count++ % KEPT;
    this.#numbers[slot] = beat.number;
    this.#times[slot] = beat.at;
    this.length = 60 / beat.bpm;
  }

  /** Call visit(time, number) for each beat from `left` to `right`, s; the song's first has the number 0. */
  visit(left, right, visit) {
    if (this.#count === 0) return;
    const oldest = Math.max(this.#count - KEPT, 0);
    let time = this.#times[oldest % KEPT] - this.length;
    for (let number = this.#numbers[oldest % KEPT] - 1; number >= 0 && time >= left; number--) {
      if (time <= right) visit(time, number);
      time -= this.length;
    }
    for (let i = oldest; i < this.#count; i++) {
      time = this.#times[i % KEPT];
      if (time >= left && time <= right) visit(time, this.#numbers[i % KEPT]);
    }
    let number = this.#numbers[(this.#count - 1) % KEPT];
    for (time += this.length; time <= right; time += this.length) {
      number++;
      if (time >= left) visit(time, number);
    }
  }
}
