/**
 * The worker: receives, decodes and draws the frames of all cameras.
 *
 * The sockets are here too, so a busy page never delays an acknowledgement. One worker serves all
 * cameras: the work, decoding, is done by createImageBitmap on the browser's own threads, and what
 * is left here is short. A worker for each camera would cost a JavaScript engine each (some MB, and
 * tens of milliseconds to start), which hurts most where it matters most, on a phone.
 */

import { Feed } from "./feed.js";
import { ageOnScreen, divide } from "./message.js";
import { Reporter } from "./reporter.js";

/** @type {Map<string, Camera>} */
const cameras = new Map();

/** @type {number | null} */
let aheadMs = null;

class Camera {
  #topic;
  #context;
  #reporter;
  #handedOver = () => {};
  /** @type {Blob | null} the JPEG of the frame on the screen */
  jpeg = null;

  /**
   * @param {string} topic
   * @param {string} url
   * @param {OffscreenCanvas | null} canvas without one the page draws
   */
  constructor(topic, url, canvas) {
    this.#topic = topic;
    this.#context = canvas?.getContext("2d", { alpha: false }) ?? null;
    this.#reporter = new Reporter((drawn) => this.#tell("drawn", drawn));
    this.feed = new Feed(url, (message) => this.#take(message), (change) => this.#tell(change));
  }

  /** The page has drawn the frame that it was given. */
  handedOver() {
    this.#handedOver();
  }

  async #take(message) {
    const receivedMs = Date.now();
    let frame, bitmap;
    try {
      frame = divide(message);
      bitmap = await createImageBitmap(frame.jpeg);
    } catch (error) {
      this.#tell("undecodable", { why: String(error) });
      return;
    }
    if (this.feed.paused || !cameras.has(this.#topic)) {
      bitmap.close();
      return;
    }
    const { width, height } = bitmap;
    if (this.#context) draw(this.#context, bitmap);
    else await this.#handOver(bitmap);
    this.jpeg = frame.jpeg;
    const { sequence, captured_ns, position_ns, next_ns, turn, growing } = frame.header;
    const ageMs = ageOnScreen(frame.header, receivedMs, Date.now(), aheadMs);
    const played = { captured_ns, position_ns, next_ns, turn, growing };
    this.#reporter.drawn({ sequence, width, height, ageMs, ...played });
  }

  /** Ends when the page has drawn it: else frames would pile up before a busy page. */
  #handOver(bitmap) {
    this.#tell("bitmap", { bitmap }, [bitmap]);
    return new Promise((resolve) => {
      this.#handedOver = resolve;
    });
  }

  #tell(what, more = {}, transferred = []) {
    postMessage({ topic: this.#topic, what, ...more }, transferred);
  }
}

function draw(context, bitmap) {
  const { canvas } = context;
  const { width, height } = bitmap;
  // To set a canvas's size clears it, even if it is the same.
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
}

const orders = {
  add({ topic, url, canvas }) {
    cameras.set(topic, new Camera(topic, url, canvas));
  },
  remove({ topic }) {
    cameras.get(topic).feed.close();
    cameras.delete(topic);
  },
  open: ({ topic }) => cameras.get(topic).feed.open(),
  close: ({ topic }) => cameras.get(topic).feed.close(),
  reopen: ({ topic }) => cameras.get(topic).feed.reopen(),
  retry: ({ topic }) => cameras.get(topic).feed.retry(),
  pause: ({ topic }) => cameras.get(topic).feed.pause(),
  resume: ({ topic }) => cameras.get(topic).feed.resume(),
  say: ({ topic, text }) => cameras.get(topic)?.feed.say(text),
  handedOver: ({ topic }) => cameras.get(topic)?.handedOver(),
  jpeg: ({ topic, answer }) => answer.postMessage(cameras.get(topic).jpeg),
  clock(order) {
    aheadMs = order.aheadMs;
  },
};

addEventListener("message", ({ data }) => orders[data.order](data));
postMessage({ what: "ready" });
