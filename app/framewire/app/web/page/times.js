/** Times, lengths and sizes of recordings as text. Pure. */

const two = (number) => String(number).padStart(2, "0");

/** Milliseconds of a time in nanoseconds, with what JavaScript keeps of its fraction. @param {number} ns */
export const msOf = (ns) => ns / 1e6;

/** @param {number} ms */
export const nsOf = (ms) => Math.round(ms * 1e6);

/** Local time of day: 14:05:12.345, or with fewer digits. @param {number} ms @param {number} [digits] */
export function clock(ms, digits = 3) {
  const time = new Date(ms);
  const whole = [time.getHours(), time.getMinutes(), time.getSeconds()].map(two).join(":");
  if (digits === 0) return whole;
  return `${whole}.${String(time.getMilliseconds()).padStart(3, "0").slice(0, digits)}`;
}

/** The exact time of day of a frame, to the microsecond. @param {number} ns */
export function exact(ns) {
  const ms = Math.floor(ns / 1e6);
  const micros = Math.floor((ns - ms * 1e6) / 1e3);
  return `${clock(ms)}${String(Math.min(999, Math.max(0, micros))).padStart(3, "0")}`;
}

/** Local date: 2026-01-31. @param {number} ms */
export function day(ms) {
  const time = new Date(ms);
  return [time.getFullYear(), time.getMonth() + 1, time.getDate()].map(two).join("-");
}

/** Date and time of day to the second. @param {number} ms */
export const moment = (ms) => `${day(ms)} ${clock(ms, 0)}`;

/** How a tick of a scale is called. @param {number} ms @param {number} step between two of them */
export function tick(ms, step) {
  if (step >= 86_400_000) return day(ms);
  if (step >= 60_000) return clock(ms, 0).slice(0, 5);
  return clock(ms, step >= 1000 ? 0 : step >= 100 ? 1 : 2);
}

/** How long something lasts: 2.1 s, 4:05, 1:02:03. @param {number} ms */
export function lasts(ms) {
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  const hours = Math.floor(seconds / 3600);
  const rest = `${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
  return hours ? `${hours}:${rest}` : rest.replace(/^0/, "");
}

/** @param {number} bytes */
export function size(bytes) {
  if (bytes < 1e6) return `${Math.ceil(bytes / 1e3)} kB`;
  return bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(2)} GB`;
}

/** @param {number} count @param {string} noun */
export const counted = (count, noun) => `${count} ${noun}${count === 1 ? "" : "s"}`;
