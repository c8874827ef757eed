/** Plays the recordings of one topic: its socket is in the worker, as those of live cameras. */

import { playUrl } from "./addresses.js";
import { attach, detach, jpegOf, say, tell } from "./decoding.js";
import { draw, offscreen } from "./surface.js";
import { msOf, nsOf } from "./times.js";

/** So many attempts in a row did not open, or brought no frame. */
const BLOCKED_AFTER = 3;

export class Player {
  #topic;
  #canvas;
  #changed;
  #turn = 0;
  #target = null;
  #failures = 0;
  #drawnAt = 0;
  #heard = false;
  /** @type {import("./reporter.js").Drawn | null} the frame on the screen */
  drawn = null;
  playing = false;
  speed = 1;
  skips = true;
  connected = false;
  undecodable = false;
  unavailable = false;

  /**
   * @param {string} topic
   * @param {HTMLCanvasElement} canvas that nobody has drawn on
   * @param {{speed: number, skips: boolean}} how
   * @param {() => void} changed called when what this object tells has changed
   */
  constructor(topic, canvas, { speed, skips }, changed) {
    this.#topic = topic;
    this.#canvas = canvas;
    this.#changed = changed;
    Object.assign(this, { speed, skips });
    attach(topic, playUrl(topic), offscreen(canvas), (report) => this.#hear(report));
    tell(topic, "open");
  }

  get topic() {
    return this.#topic;
  }

  /** Whether the frame on the screen answers the last command. */
  get settled() {
    return this.drawn !== null && this.drawn.turn >= this.#turn;
  }

  /** Whether pictures cannot come through. */
  get blocked() {
    return this.unavailable || this.#failures >= BLOCKED_AFTER;
  }

  get atEnd() {
    return this.drawn !== null && this.drawn.next_ns === null && !this.drawn.growing;
  }

  /** Where it is now, ms: it runs on between frames, no further than to the next one. */
  get position() {
    if (this.#target !== null && !this.settled) return this.#target;
    if (!this.drawn) return null;
    const at = msOf(this.drawn.position_ns);
    if (!this.playing || this.drawn.next_ns === null) return at;
    const ran = at + (performance.now() - this.#drawnAt) * this.speed;
    return Math.min(ran, this.skips ? at + 500 * this.speed : Infinity, msOf(this.drawn.next_ns));
  }

  /** @param {number} ms on the time line */
  jump(ms) {
    this.#target = ms;
    this.#say("jump", { to_ns: Math.max(0, nsOf(ms)) });
  }

  /** @param {number} by frames */
  step(by) {
    this.playing = false;
    this.#target = null;
    this.#say("step", { by });
  }

  toggle() {
    this.playing = !this.playing;
    this.#say(this.playing ? "play" : "pause");
  }

  pause() {
    if (this.playing) this.toggle();
  }

  /** @param {number} speed */
  setSpeed(speed) {
    this.speed = speed;
    this.#say("speed", { speed });
  }

  /** @param {boolean} skips */
  setSkips(skips) {
    this.skips = skips;
    this.#say("skip", { gaps: skips });
  }

  /** The JPEG on the screen. @returns {Promise<Blob | null>} */
  picture() {
    return jpegOf(this.#topic);
  }

  remove() {
    detach(this.#topic);
    this.#canvas.remove();
  }

  #say(what, more = {}) {
    // Only these are answered by a frame in any case.
    if (["jump", "step", "pause"].includes(what)) this.#turn += 1;
    say(this.#topic, JSON.stringify({ do: what, turn: this.#turn, ...more }));
    this.#changed();
  }

  /** A new socket knows nothing yet. */
  #begin() {
    const at = this.#target ?? (this.drawn && msOf(this.drawn.position_ns));
    if (this.speed !== 1) this.#say("speed", { speed: this.speed });
    if (!this.skips) this.#say("skip", { gaps: false });
    if (at !== null) this.jump(at);
    if (this.playing) this.#say("play");
  }

  #hear(report) {
    switch (report.what) {
      case "open":
        this.connected = true;
        this.#heard = false;
        this.#begin();
        break;
      case "closed":
        this.connected = false;
        if (!this.#heard) this.#failures += 1;
        break;
      case "failed":
        this.#failures += 1;
        break;
      case "bitmap":
        draw(this.#canvas, report.bitmap);
        tell(this.#topic, "handedOver");
        return;
      case "drawn":
        this.drawn = report;
        this.#heard = true;
        this.#failures = 0;
        this.#drawnAt = performance.now();
        this.undecodable = false;
        if (this.settled) this.#target = null;
        if (this.atEnd && this.settled) this.playing = false;
        break;
      case "undecodable":
        this.undecodable = true;
        break;
      case "unavailable":
        this.unavailable = true;
        break;
    }
    this.#changed();
  }
}
