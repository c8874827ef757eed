/**
 * How far the server's wall clock is ahead of this browser's, from what it says of its time in
 * answer to polls. Of the last answers the one with the shortest round trip is the best.
 */

const KEPT = 10;

export class ServerClock {
  /** @type {{tripMs: number, aheadMs: number}[]} */
  #answers = [];

  /**
   * @param {number} askedMs Date.now() at the request
   * @param {number} answeredMs Date.now() when the answer began
   * @param {number} nowNs the server's wall clock
   */
  add(askedMs, answeredMs, nowNs) {
    const aheadMs = nowNs / 1e6 - (askedMs + answeredMs) / 2;
    this.#answers.push({ tripMs: answeredMs - askedMs, aheadMs });
    this.#answers = this.#answers.slice(-KEPT);
  }

  /** Milliseconds to add to Date.now() for the server's time; add() something before. */
  get aheadMs() {
    return this.#answers.reduce((best, next) => (next.tripMs < best.tripMs ? next : best)).aheadMs;
  }
}
