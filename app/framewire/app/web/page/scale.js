/** What part of a time line is seen, and where a time is on it. Pure; times in milliseconds. */

const SHORTEST_MS = 200;

/** @typedef {{from: number, to: number}} View */

/**
 * The whole of a time line.
 *
 * @param {number} from
 * @param {number} to
 * @returns {View}
 */
export const whole = (from, to) => ({ from, to: Math.max(to, from + SHORTEST_MS) });

/** Where a time is: 0 at the left end, 1 at the right. @param {View} view @param {number} time */
export const share = (view, time) => (time - view.from) / (view.to - view.from);

/** @param {View} view @param {number} place from 0 to 1 */
export const timeAt = (view, place) => view.from + place * (view.to - view.from);

/**
 * A view so many times as long, in which `around` stays where it is; no larger than all.
 *
 * @param {View} view
 * @param {number} factor
 * @param {number} around
 * @param {View} all
 * @returns {View}
 */
export function zoomed(view, factor, around, all) {
  const shortest = Math.min(SHORTEST_MS, all.to - all.from);
  const length = Math.min(Math.max((view.to - view.from) * factor, shortest), all.to - all.from);
  const from = around - share(view, around) * length;
  return within({ from, to: from + length }, all);
}

/** The view moved so that it lies within all. @param {View} view @param {View} all */
export function within(view, all) {
  const length = Math.min(view.to - view.from, all.to - all.from);
  const from = Math.min(Math.max(view.from, all.from), all.to - length);
  return { from, to: from + length };
}

/** The view with a time in it: turned as a page is. @param {View} view @param {number} time @param {View} all */
export function showing(view, time, all) {
  if (time >= view.from && time <= view.to) return view;
  const length = view.to - view.from;
  const from = time - length * (time > view.to ? 0.1 : 0.9);
  return within({ from, to: from + length }, all);
}

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const STEPS = [
  10, 20, 50, 100, 200, 500, SECOND, 2 * SECOND, 5 * SECOND, 10 * SECOND, 30 * SECOND, MINUTE, 2 * MINUTE,
  5 * MINUTE, 10 * MINUTE, 30 * MINUTE, HOUR, 2 * HOUR, 6 * HOUR, 12 * HOUR, DAY, 2 * DAY, 7 * DAY, 30 * DAY, 365 * DAY,
];

/**
 * Round times to write below a time line, in local time.
 *
 * @param {View} view
 * @param {number} most so many fit
 * @returns {{step: number, times: number[]}}
 */
export function ticks(view, most) {
  const length = view.to - view.from;
  const step = STEPS.find((each) => length / each <= most) ?? Math.ceil(length / most / DAY) * DAY;
  const aside = new Date(view.from).getTimezoneOffset() * MINUTE;
  const times = [];
  for (let local = Math.ceil((view.from - aside) / step) * step; local + aside <= view.to; local += step) {
    times.push(local + aside);
  }
  return { step, times };
}
