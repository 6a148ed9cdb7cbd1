/** The keys along the edge of the piano roll: who sounds, what belongs to the scale, where the octaves begin. */

import { look } from "./look.js";
import { pitchName } from "./values.js";

const BLACK = 0b010101001010; // pitch classes of the black keys
const LENGTH = 0.62; // of a black key

export const isBlack = (pitch) => (BLACK >> (pitch % 12)) & 1;

/**
 * Paint them. lit: by pitch, bit 0 the human, bit 1 the machine. lanes: {low, high, top (of each pitch's lane,
 * dots), height (of a lane), ratio (dots per CSS pixel)}. classes: the pitch classes of the scale, bit 0 = C.
 */
export function paintEdge(context, lit, lanes, classes) {
  const { width, height } = context.canvas;
  const { low, high, top, ratio } = lanes;
  const lane = lanes.height;
  context.fillStyle = look.keyWhite;
  context.fillRect(0, 0, width, height);
  for (let pitch = low; pitch <= high; pitch++) {
    const black = isBlack(pitch);
    if (black) {
      context.fillStyle = look.keyLine;
      context.fillRect(0, Math.round(top[pitch] + lane / 2), width, ratio);
      context.fillStyle = look.keyBlack;
      context.fillRect(0, top[pitch], width * LENGTH, lane);
    } else if (pitch % 12 === 0 || pitch % 12 === 5) {
      context.fillStyle = look.keyLine;
      context.fillRect(0, Math.round(top[pitch] + lane), width, ratio);
    }
    if (lit[pitch]) paintLit(context, lit[pitch], top[pitch], black ? width * LENGTH : width, lane);
    if ((classes >> (pitch % 12)) & 1) {
      context.fillStyle = look.machine;
      context.fillRect(0, top[pitch] + lane * 0.15, 3 * ratio, lane * 0.7);
    }
  }
  context.fillStyle = look.keyInk;
  context.font = `${Math.min(10 * ratio, lane * 1.7)}px ui-sans-serif, system-ui, sans-serif`;
  context.textAlign = "right";
  for (let pitch = 12 * Math.ceil(low / 12); pitch <= high; pitch += 12) {
    const base = Math.max(top[pitch] + lane * 0.95, 10 * ratio);
    context.fillText(pitchName(pitch), width - 4 * ratio, base);
  }
}

function paintLit(context, lit, top, wide, lane) {
  context.fillStyle = lit & 1 ? look.human : look.machine;
  context.fillRect(0, top, wide, lane);
  if (lit !== 3) return;
  context.fillStyle = look.machine;
  context.fillRect(wide / 2, top, wide / 2, lane);
}
