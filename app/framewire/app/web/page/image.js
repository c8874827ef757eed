/** A camera as <img>: what is left where WebSockets are blocked. */

import { snapshotUrl, streamUrl } from "./addresses.js";

/**
 * A browser opens six connections to a server over HTTP/1.1, and a stream keeps one: api/streams
 * and a snapshot need the other two. The cameras above that show a snapshot a second.
 */
const STREAMS_AT_ONCE = 4;
const SNAPSHOT_EVERY_MS = 1000;
const AGAIN_AFTER_MS = 2000;

/** @type {Set<ImageStream>} */
const streaming = new Set();

export class ImageStream {
  #topic;
  #image = new Image();
  #still = document.createElement("canvas");
  #timer = 0;
  #opened = false;

  /**
   * @param {string} topic
   * @param {HTMLElement} beneath the element that this one covers
   */
  constructor(topic, beneath) {
    this.#topic = topic;
    this.#image.alt = "";
    this.#image.draggable = false;
    this.#image.onload = () => {
      if (!streaming.has(this)) this.#loadIn(SNAPSHOT_EVERY_MS);
    };
    this.#image.onerror = () => this.#loadIn(AGAIN_AFTER_MS);
    this.#image.className = this.#still.className = "frame";
    this.#still.hidden = true;
    beneath.after(this.#still, this.#image);
  }

  open() {
    if (this.#opened) return;
    this.#opened = true;
    this.#image.hidden = false;
    this.#load();
  }

  /** The picture stays. */
  close() {
    if (!this.#opened) return;
    this.#opened = false;
    clearTimeout(this.#timer);
    streaming.delete(this);
    this.#keepStill();
    this.#image.removeAttribute("src");
    this.#image.hidden = true; // some browsers frame an image without a source
  }

  remove() {
    this.close();
    this.#still.remove();
    this.#image.remove();
  }

  /**
   * The picture on the screen, encoded anew; null if there is none.
   *
   * @returns {Promise<Blob | null>}
   */
  picture() {
    if (this.#opened) this.#keepStill();
    if (this.#still.hidden) return Promise.resolve(null);
    return new Promise((resolve) => this.#still.toBlob(resolve, "image/jpeg", 0.95));
  }

  #load() {
    if (streaming.size < STREAMS_AT_ONCE) streaming.add(this);
    const url = streaming.has(this) ? streamUrl(this.#topic) : snapshotUrl(this.#topic);
    this.#image.src = `${url}?at=${Date.now()}`; // the same address would not be loaded again
  }

  #loadIn(delayMs) {
    clearTimeout(this.#timer);
    if (this.#opened) this.#timer = setTimeout(() => this.#load(), delayMs);
  }

  #keepStill() {
    const { naturalWidth, naturalHeight } = this.#image;
    if (!naturalWidth) return;
    Object.assign(this.#still, { width: naturalWidth, height: naturalHeight, hidden: false });
    this.#still.getContext("2d").drawImage(this.#image, 0, 0);
  }
}
