/** Asks api/streams twice a second while it runs. */

import { streamsUrl } from "./addresses.js";

/**
 * A camera as the server sees it.
 *
 * @typedef {object} Stream
 * @property {string} topic
 * @property {"live" | "no-signal" | "ended" | "stale"} state
 * @property {string} reason
 * @property {number} since_ns since when it has that state: server's wall clock
 * @property {number} fps
 * @property {number} bits_per_s
 * @property {number | null} age_ms
 * @property {number} width
 * @property {number} height
 * @property {number} quality
 * @property {number} lost
 * @property {number} received
 * @property {number} restarts
 */

/**
 * @typedef {object} Listed
 * @property {string} version
 * @property {number} now_ns server's wall clock
 * @property {boolean} recordings whether there is a page of them
 * @property {Stream[]} streams
 * @property {string | null} topic the only one that was asked for; others may be listed too
 * @property {number} askedMs Date.now()
 * @property {number} answeredMs
 */

/** With STALE_S of the server: who looks knows within three seconds that a sender is gone. */
const EVERY_MS = 500;
const REFUSED_EVERY_MS = 5000;
const WITHIN_MS = 4000;

export class StreamsPoll {
  #listener;
  #only;
  #timer = 0;
  #stopped = true;
  #busy = false;
  #failures = 0;
  #failedAt = new Date();

  /**
   * @param {object} listener
   * @param {(listed: Listed) => void} listener.listed
   * @param {(failures: number, since: Date) => void} listener.failed with the number in a row
   * @param {() => void} listener.refused the token is wrong or missing
   * @param {() => string | null} only the topic that is enough: the server takes no others then
   */
  constructor(listener, only) {
    this.#listener = listener;
    this.#only = only;
  }

  /** Ask at once, and then again and again. */
  start() {
    this.#stopped = false;
    if (!this.#busy) this.#askIn(0);
  }

  stop() {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  #askIn(delayMs) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#run(), Math.max(0, delayMs));
  }

  async #run() {
    const begun = performance.now();
    this.#busy = true;
    const answer = await ask(this.#only()).catch(() => "failed");
    this.#busy = false;
    if (!this.#stopped) {
      const everyMs = answer === "refused" ? REFUSED_EVERY_MS : EVERY_MS;
      this.#askIn(everyMs - (performance.now() - begun));
    }
    this.#tell(answer);
  }

  #tell(answer) {
    if (answer === "failed") {
      if (this.#failures++ === 0) this.#failedAt = new Date();
      this.#listener.failed(this.#failures, this.#failedAt);
      return;
    }
    this.#failures = 0;
    if (answer === "refused") this.#listener.refused();
    else this.#listener.listed(answer);
  }
}

/** @returns {Promise<Listed | "refused">} */
async function ask(topic) {
  const askedMs = Date.now();
  const signal = AbortSignal.timeout(WITHIN_MS);
  const response = await fetch(streamsUrl(topic), { cache: "no-store", signal });
  const answeredMs = Date.now();
  if (response.status === 401) return "refused";
  if (!response.ok) throw new Error(`api/streams: ${response.status}`);
  return { ...(await response.json()), topic, askedMs, answeredMs };
}
