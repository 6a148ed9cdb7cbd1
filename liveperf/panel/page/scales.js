/** Scales and chords as sets of pitch classes: the instrument's own, which it tells. */

let roots = [];
let scales = {}; // semitones above the root

/** Take on what the instrument says when it greets. */
export function takeScales(hello) {
  ({ roots, scales } = hello);
}

/** The pitch classes (bit 0 = C to bit 11 = B) of a scale; of one that is not known: none. */
export function pitchClasses(scale, root) {
  let classes = 0;
  for (const step of scales[scale] ?? []) classes |= 1 << ((roots.indexOf(root) + step) % 12);
  return classes;
}
