/** Which key does what. */

const NAMES = {
  Escape: "back",
  ArrowLeft: "left",
  ArrowRight: "right",
  ArrowUp: "up",
  ArrowDown: "down",
  " ": "pause",
  p: "pause",
  s: "snapshot",
  f: "full",
  "?": "help",
};

const MAY_REPEAT = new Set(["left", "right", "up", "down"]);

/**
 * @typedef {"back" | "left" | "right" | "up" | "down" | "pause" | "snapshot" | "full" | "help"} Key
 */

/** @param {(key: Key) => boolean} press returns whether the key had a meaning now */
export function onKey(press) {
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.defaultPrevented) return;
    if (event.key === " " && event.target.closest("button")) return; // presses that button
    const name = NAMES[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!name || (event.repeat && !MAY_REPEAT.has(name))) return;
    if (press(name)) event.preventDefault();
  });
}
