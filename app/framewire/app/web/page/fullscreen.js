/** Full screen, in which the bar goes while nobody uses it. */

const IDLE_AFTER_MS = 3000;

const root = document.documentElement;
let timer = 0;

/** Not on an iPhone. */
export const FULL_SCREEN = document.fullscreenEnabled === true;

export function toggleFullScreen() {
  if (!FULL_SCREEN) return;
  const change = document.fullscreenElement ? document.exitFullscreen() : root.requestFullscreen();
  change.catch(() => {}); // the browser has said no: the user sees that
}

/** @param {(full: boolean) => void} listener */
export function onFullScreen(listener) {
  document.addEventListener("fullscreenchange", () => {
    listener(document.fullscreenElement !== null);
    stir();
  });
  for (const sign of ["pointermove", "pointerdown", "keydown"]) addEventListener(sign, stir);
}

function stir() {
  clearTimeout(timer);
  root.classList.remove("idle");
  if (!document.fullscreenElement) return;
  timer = setTimeout(() => root.classList.add("idle"), IDLE_AFTER_MS);
}
