/** Saves what a camera shows as a file. */

import { snapshotUrl } from "./addresses.js";
import { snapshotName } from "./words.js";

/** A download that has not begun by then never will. */
const KEPT_MS = 60_000;

/**
 * Save the newest frame, or the one on the screen where that is paused.
 *
 * @param {import("./camera.js").Camera} camera
 * @returns {Promise<string>} what to tell the user
 */
export async function saveSnapshot({ topic, viewer }) {
  const { pausedAt } = viewer;
  const jpeg = pausedAt ? await viewer.picture() : await newest(topic);
  if (!jpeg) return `no snapshot: ${topic} has no picture to save`;
  const name = snapshotName(topic, pausedAt ?? new Date());
  download(jpeg, name);
  return `saved ${name}`;
}

async function newest(topic) {
  try {
    const response = await fetch(snapshotUrl(topic), { cache: "no-store" });
    return response.ok ? await response.blob() : null;
  } catch {
    return null;
  }
}

/** Hand a picture to the user as a file. @param {Blob} jpeg @param {string} name */
export function download(jpeg, name) {
  const url = URL.createObjectURL(jpeg);
  const link = Object.assign(document.createElement("a"), { href: url, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), KEPT_MS);
}
