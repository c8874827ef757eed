/** Tells the page what was drawn: at most four times a second, always the last, and answers at once. */

const EVERY_MS = 250;
const FPS_OVER_MS = 2000;

/**
 * @typedef {object} Drawn
 * @property {number} sequence
 * @property {number} width
 * @property {number} height
 * @property {number | null} ageMs
 * @property {number | null} fps drawn here
 * @property {number} [captured_ns]
 * @property {number} [position_ns] as in message.js, as what follows
 * @property {number | null} [next_ns]
 * @property {number} [turn]
 * @property {boolean} [growing]
 */

export class Reporter {
  #report;
  #timer = 0;
  #latest = null;
  #turn = undefined;
  /** @type {number[]} */
  #drawnMs = [];

  /** @param {(drawn: Drawn) => void} report */
  constructor(report) {
    this.#report = report;
  }

  /** @param {Omit<Drawn, "fps">} frame */
  drawn(frame) {
    this.#latest = frame;
    const nowMs = performance.now();
    this.#drawnMs.push(nowMs);
    this.#drawnMs = this.#drawnMs.filter((atMs) => atMs > nowMs - FPS_OVER_MS);
    if (!this.#timer || frame.turn !== this.#turn) this.#tell();
  }

  #tell() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    if (!this.#latest) return;
    this.#turn = this.#latest.turn;
    this.#report({ ...this.#latest, fps: this.#fps() });
    this.#latest = null;
    this.#timer = setTimeout(() => this.#tell(), EVERY_MS);
  }

  #fps() {
    const periods = this.#drawnMs.length - 1;
    return periods > 0 ? (1000 * periods) / (this.#drawnMs.at(-1) - this.#drawnMs[0]) : null;
  }
}
