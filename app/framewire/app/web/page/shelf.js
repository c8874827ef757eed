/** Asks api/recordings what there is: often while something changes, else seldom. */

import { recordingsUrl } from "./addresses.js";
import { msOf } from "./times.js";

/**
 * @typedef {object} File
 * @property {string} name
 * @property {"unread" | "finished" | "growing" | "cut" | "damaged"} state
 * @property {string} reason
 * @property {number} began ms
 * @property {number} ended ms
 * @property {number} frames
 * @property {number} bytes
 * @property {number} lost
 * @property {{from: number, to: number, lost: number}[]} gaps
 */

/**
 * @typedef {object} Topic
 * @property {string} topic
 * @property {File[]} files
 */

const SOON_MS = 1000;
const LATER_MS = 10_000;
const WITHIN_MS = 15_000;

/**
 * @param {object} listener
 * @param {(answer: {version: string, folder: string, unread: number, topics: Topic[]}) => void} listener.listed
 * @param {() => void} listener.failed
 * @param {() => void} listener.refused
 */
export async function follow({ listed, failed, refused }) {
  for (;;) {
    let soon = true;
    try {
      const signal = AbortSignal.timeout(WITHIN_MS);
      const response = await fetch(recordingsUrl(), { cache: "no-store", signal });
      if (response.status === 401) refused();
      else if (!response.ok) throw new Error(`api/recordings: ${response.status}`);
      else {
        const answer = await response.json();
        const topics = answer.topics.map(inMilliseconds);
        const states = topics.flatMap(({ files }) => files.map(({ state }) => state));
        soon = states.length === 0 || states.includes("unread") || states.includes("growing");
        listed({ ...answer, topics });
      }
    } catch {
      failed();
    }
    await new Promise((resolve) => setTimeout(resolve, soon ? SOON_MS : LATER_MS));
    await visible();
  }
}

/** @returns {Topic} */
const inMilliseconds = ({ topic, files }) => ({
  topic,
  files: files.map((file) => ({
    ...file,
    began: msOf(file.began_ns),
    ended: msOf(file.ended_ns),
    gaps: file.gaps.map(({ from_ns, to_ns, lost }) => ({ from: msOf(from_ns), to: msOf(to_ns), lost })),
  })),
});

/** A page that nobody sees asks for nothing. */
function visible() {
  if (document.visibilityState === "visible") return Promise.resolve();
  return new Promise((resolve) => {
    document.addEventListener("visibilitychange", () => resolve(), { once: true });
  });
}
