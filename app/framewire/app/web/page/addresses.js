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
