/** Which key does what. */

/** On the page of live cameras. */
export const LIVE = {
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

/** On the page of recordings. */
export const RECORDINGS = {
  " ": "play",
  p: "play",
  ",": "earlier",
  ".": "later",
  ArrowLeft: "backward",
  ArrowRight: "forward",
  ArrowUp: "faster",
  ArrowDown: "slower",
  Home: "first",
  End: "last",
  "+": "closer",
  "=": "closer",
  "-": "further",
  g: "skip",
  i: "in",
  o: "out",
  s: "snapshot",
  f: "full",
  "?": "help",
};

const MAY_REPEAT = new Set(["left", "right", "up", "down", "earlier", "later", "backward", "forward"]);

/**
 * @param {Record<string, string>} names what each key is called: one of the above
 * @param {(key: string) => boolean} press returns whether the key had a meaning now
 */
export function onKey(names, press) {
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.defaultPrevented) return;
    if (event.target.closest("select")) return; // keys choose there
    if (event.key === " " && event.target.closest("button, a, input, summary")) return; // presses it
    const name = names[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!name || (event.repeat && !MAY_REPEAT.has(name))) return;
    if (press(name)) event.preventDefault();
  });
}
