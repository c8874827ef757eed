/** One camera's picture: over its WebSocket, or as <img> where WebSockets are blocked. */

import { socketUrl } from "./addresses.js";
import { attach, detach, jpegOf, tell } from "./decoding.js";
import { ImageStream } from "./image.js";
import { draw, offscreen } from "./surface.js";

/** So many attempts in a row that did not even open, and the server answers: they are blocked. */
const BLOCKED_AFTER = 2;

/** A frame may need seconds on a slow link, so a socket is long believed. */
const SILENT_MS = 15_000;

export class Viewer {
  #topic;
  #canvas;
  #changed;
  #open = false;
  #failures = 0;
  #connected = false;
  #heardMs = 0;
  #hasWorker = true;
  /** @type {ImageStream | null} */
  #image = null;
  /** @type {Date | null} */
  pausedAt = null;
  /** @type {import("./reporter.js").Drawn | null} the last frame that was drawn */
  drawn = null;
  /** True while the frames that come cannot be decoded. */
  undecodable = false;

  /**
   * @param {string} topic
   * @param {HTMLCanvasElement} canvas that nobody has drawn on
   * @param {() => void} changed called when what this object tells has changed
   */
  constructor(topic, canvas, changed) {
    this.#topic = topic;
    this.#canvas = canvas;
    this.#changed = changed;
    attach(topic, socketUrl(topic), offscreen(canvas), (report) => this.#hear(report));
  }

  /** Whether pictures are shown as <img>. */
  get compatible() {
    return this.#image !== null;
  }

  get connected() {
    return this.#connected;
  }

  /** Whether it should be connected, and is not. */
  get connecting() {
    return this.#open && !this.#connected && !this.#image && !this.pausedAt;
  }

  open() {
    if (this.#open) return;
    this.#open = true;
    this.#heardMs = performance.now();
    if (!this.#image) tell(this.#topic, "open");
    else if (!this.pausedAt) this.#image.open();
  }

  /** The picture stays. */
  close() {
    if (!this.#open) return;
    this.#open = false;
    if (this.#image) this.#image.close();
    else tell(this.#topic, "close");
  }

  /** Keep the picture until resume(). */
  pause() {
    if (this.pausedAt) return;
    this.pausedAt = new Date();
    this.#image?.close();
    tell(this.#topic, "pause");
    this.#changed();
  }

  resume() {
    if (!this.pausedAt) return;
    this.pausedAt = null;
    this.#heardMs = performance.now();
    if (this.#open) this.#image?.open();
    tell(this.#topic, "resume");
    this.#changed();
  }

  /**
   * The picture on the screen as a JPEG, null if there is none.
   *
   * @returns {Promise<Blob | null>}
   */
  picture() {
    return this.#image ? this.#image.picture() : jpegOf(this.#topic);
  }

  /**
   * The server has answered a poll.
   *
   * @param {number} periodMs between two frames as the server gets them, Infinity if none come
   */
  serverAnswered(periodMs) {
    if (this.#failures >= BLOCKED_AFTER) this.#useImage();
    const silentMs = performance.now() - this.#heardMs;
    if (this.#connected && !this.pausedAt && silentMs > Math.max(SILENT_MS, 3 * periodMs)) {
      this.#heardMs = performance.now();
      tell(this.#topic, "reopen");
    }
  }

  /** A poll failed, so it is no wonder if sockets fail. */
  serverFailed() {
    this.#failures = 0;
  }

  /** The server is back. */
  serverReturned() {
    this.#failures = 0;
    if (!this.#image) tell(this.#topic, "retry");
    else if (this.#hasWorker) this.#useSocket();
  }

  remove() {
    this.#image?.remove();
    detach(this.#topic);
  }

  #hear(report) {
    switch (report.what) {
      case "open":
      case "closed":
        this.#failures = 0;
        this.#heardMs = performance.now();
        this.#connected = report.what === "open";
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
        this.undecodable = false;
        this.#heardMs = performance.now();
        break;
      case "undecodable":
        this.undecodable = true;
        this.#heardMs = performance.now();
        break;
      case "unavailable":
        this.#hasWorker = false;
        this.#useImage();
        break;
    }
    this.#changed();
  }

  #useImage() {
    if (this.#image) return;
    tell(this.#topic, "close");
    this.#failures = 0;
    this.drawn = null;
    this.undecodable = false;
    this.#image = new ImageStream(this.#topic, this.#canvas);
    if (this.#open && !this.pausedAt) this.#image.open();
    this.#changed();
  }

  #useSocket() {
    this.#image.remove();
    this.#image = null;
    if (this.#open) tell(this.#topic, "open");
    this.#changed();
  }
}
