/** Messages of ws/TOPIC. Pure. */

const utf8 = new TextDecoder("utf-8", { fatal: true });

/**
 * What is used here of framewire's Header, and `age_ms`.
 *
 * @typedef {object} Header
 * @property {number} sequence
 * @property {number} captured_ns
 * @property {number} sent_ns
 * @property {boolean} replay
 * @property {number} [age_ms] when the server sent the message; not of recordings
 * @property {number} [position_ns] these are of recordings only: where it is on the time line,
 * @property {number | null} [next_ns] when the next one is due,
 * @property {number} [turn] the last command that it answers,
 * @property {boolean} [growing] and whether its file is being written
 */

/**
 * Divide a message: length of the header (4 bytes, big-endian), header as JSON, JPEG.
 *
 * @param {ArrayBuffer} message
 * @returns {{header: Header, jpeg: Blob}}
 * @throws {RangeError | TypeError | SyntaxError} if it is none
 */
export function divide(message) {
  const length = new DataView(message).getUint32(0);
  const header = JSON.parse(utf8.decode(new Uint8Array(message, 4, length)));
  const jpeg = new Blob([new Uint8Array(message, 4 + length)], { type: "image/jpeg" });
  return { header, jpeg };
}

/**
 * The age of a frame on the screen: its age when the server sent it, and its way from there.
 *
 * @param {Header} header
 * @param {number} receivedMs Date.now() when its message was complete
 * @param {number} drawnMs Date.now()
 * @param {number | null} aheadMs how far the server's clock is ahead of ours
 * @returns {number | null}
 */
export function ageOnScreen(header, receivedMs, drawnMs, aheadMs) {
  if (!Number.isFinite(header.age_ms)) return null;
  const here = drawnMs - receivedMs;
  if (aheadMs === null) return header.age_ms + here;
  // Ages count from there (Header.age_ms), so this is the server's clock when it sent the frame.
  const sentMs = (header.replay ? header.sent_ns : header.captured_ns) / 1e6 + header.age_ms;
  return header.age_ms + Math.max(here, drawnMs + aheadMs - sentMs);
}
