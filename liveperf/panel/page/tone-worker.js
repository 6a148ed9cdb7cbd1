/** Renders the piano's tones beside the page, which goes on undisturbed: told {rate, pitches, roomRate}. */

import { renderRoom, renderTone } from "./tone.js";

onmessage = ({ data: { rate, pitches, roomRate } }) => {
  const send = (pitch, sides) =>
    postMessage(
      { pitch, sides },
      sides.map((one) => one.buffer),
    );
  for (const [index, pitch] of pitches.entries()) {
    send(pitch, renderTone(pitch, rate));
    if (index === 3) send(null, renderRoom(roomRate));
  }
  close();
};
