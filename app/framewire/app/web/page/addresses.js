/** Where the server's things are, relative to the page: it may lie under any path. */

const path = (topic) => topic.split("/").map(encodeURIComponent).join("/");
const absolute = (relative) => new URL(relative, document.baseURI).href;

/** @param {string | null} topic all cameras without one */
export const streamsUrl = (topic) =>
  absolute(topic ? `api/streams?topic=${encodeURIComponent(topic)}` : "api/streams");

/** @param {string} topic */
export const socketUrl = (topic) => absolute(`ws/${path(topic)}`).replace(/^http/, "ws");

/** @param {string} topic */
export const streamUrl = (topic) => absolute(`stream/${path(topic)}`);

/** @param {string} topic */
export const snapshotUrl = (topic) => absolute(`snapshot/${path(topic)}`);

/** What recordings there are. */
export const recordingsUrl = () => absolute("api/recordings");

/** @param {string} topic */
export const playUrl = (topic) => absolute(`play/${path(topic)}`).replace(/^http/, "ws");

/** @param {string} name of a file, as the server lists it */
export const fileUrl = (name) => absolute(`recording/${path(name)}`);

/** @param {string} topic @param {number} fromNs @param {number} toNs both frames are in it */
export const cutUrl = (topic, fromNs, toNs) =>
  absolute(`cut/${path(topic)}?from_ns=${fromNs}&to_ns=${toNs}`);
