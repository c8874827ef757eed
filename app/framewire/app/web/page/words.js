/** What the page says: times, figures and states as text. Pure. */

const NONE = "–";

/**
 * Local time of day, such as 14:05:12; with the date in front if that is not the day of `now`.
 *
 * @param {Date} time
 * @param {Date} [now]
 */
export function timeOfDay(time, now = new Date()) {
  const clock = [time.getHours(), time.getMinutes(), time.getSeconds()].map(twoDigits).join(":");
  return time.toDateString() === now.toDateString() ? clock : `${date(time)} ${clock}`;
}

/**
 * The file name of a snapshot: lab-cam1-2026-01-31T14-05-12.jpg, as recordings are named.
 *
 * @param {string} topic
 * @param {Date} time
 */
export function snapshotName(topic, time) {
  const clock = [time.getHours(), time.getMinutes(), time.getSeconds()].map(twoDigits).join("-");
  return `${topic.replaceAll("/", "-")}-${date(time)}T${clock}.jpg`;
}

/**
 * What stands in place of a frozen picture; nothing if pictures are coming.
 *
 * @param {import("./streams.js").Stream} stream
 */
export function trouble({ state, reason, since_ns }) {
  const since = timeOfDay(new Date(since_ns / 1e6));
  const why = reason ? `: ${reason}` : "";
  switch (state) {
    case "live":
      return "";
    case "no-signal":
      return `no signal since ${since}${why}`;
    case "ended":
      return `ended at ${since}`;
    case "stale":
      return `no signal since ${since}: no word from its sender`;
    default:
      return `${state}${why}`;
  }
}

/** @param {string} state */
export const stateName = (state) => state.replaceAll("-", " ");

/**
 * The figures of a camera, by the names of the elements that show them.
 *
 * @param {import("./streams.js").Stream} stream
 * @param {{ageMs: number | null, shownFps: number | null}} screen what only this browser knows
 * @returns {Record<string, string>}
 */
export function figures(stream, { ageMs, shownFps }) {
  return {
    fps: decimal(stream.fps, 1),
    age: decimal(ageMs, 0),
    resolution: stream.width ? `${stream.width}×${stream.height}` : NONE,
    bitrate: decimal(stream.bits_per_s / 1e6, 1),
    lost: decimal(stream.lost, 0),
    shown: decimal(shownFps, 1),
    quality: stream.quality ? decimal(stream.quality, 0) : NONE,
    restarts: decimal(stream.restarts, 0),
  };
}

/** @param {string[]} states of all cameras */
export function summary(states) {
  const live = states.filter((state) => state === "live").length;
  if (states.length === 0) return "";
  const cameras = states.length === 1 ? "1 camera" : `${states.length} cameras`;
  return live === states.length ? `${cameras}, live` : `${cameras}, ${live} live`;
}

function decimal(value, digits) {
  if (!Number.isFinite(value)) return NONE;
  const text = value.toFixed(digits);
  return Number(text) === 0 ? text.replace("-", "") : text;
}

const date = (time) =>
  [time.getFullYear(), time.getMonth() + 1, time.getDate()].map(twoDigits).join("-");

const twoDigits = (number) => String(number).padStart(2, "0");
