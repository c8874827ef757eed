/** The page's end of the worker in decode.js. */

/** @type {Map<string, (report: {what: string}) => void>} */
const listeners = new Map();
let ready = false;
let unavailable = false;

const worker = new Worker(new URL("decode.js", import.meta.url), { type: "module" });

worker.addEventListener("message", ({ data: report }) => {
  if (report.what === "ready") ready = true;
  else if (listeners.has(report.topic)) listeners.get(report.topic)(report);
  else report.bitmap?.close();
});

// An error before it is ready: this browser has no module workers, or may not start this one.
worker.addEventListener("error", () => {
  if (ready) return;
  unavailable = true;
  for (const listener of listeners.values()) listener({ what: "unavailable" });
});

/**
 * Make a camera known to the worker, which opens nothing yet.
 *
 * @param {string} topic
 * @param {string} url of its WebSocket
 * @param {OffscreenCanvas | null} canvas to draw on; without one frames are reported as `bitmap`
 * @param {(report: {what: string}) => void} listener
 */
export function attach(topic, url, canvas, listener) {
  listeners.set(topic, listener);
  worker.postMessage({ order: "add", topic, url, canvas }, canvas ? [canvas] : []);
  if (unavailable) queueMicrotask(() => listener({ what: "unavailable" }));
}

/** @param {string} topic */
export function detach(topic) {
  listeners.delete(topic);
  tell(topic, "remove");
}

/**
 * @param {string} topic
 * @param {"open" | "close" | "reopen" | "retry" | "pause" | "resume" | "handedOver" | "remove"}
 *     order
 */
export const tell = (topic, order) => worker.postMessage({ order, topic });

/** Say something to the server. @param {string} topic @param {string} text */
export const say = (topic, text) => worker.postMessage({ order: "say", topic, text });

/** @param {number} aheadMs how far the server's clock is ahead of this browser's */
export const setClock = (aheadMs) => worker.postMessage({ order: "clock", aheadMs });

/**
 * The JPEG of the frame on the screen, null if there is none.
 *
 * @param {string} topic
 * @returns {Promise<Blob | null>}
 */
export function jpegOf(topic) {
  const { port1, port2 } = new MessageChannel();
  return new Promise((resolve) => {
    port1.onmessage = ({ data }) => {
      port1.close();
      resolve(data);
    };
    worker.postMessage({ order: "jpeg", topic, answer: port2 }, [port2]);
  });
}
