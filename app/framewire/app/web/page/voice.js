/** Says things: for a moment on the screen, or to screen readers only. */

const TOAST_MS = 4000;

const toast = document.getElementById("toast");
const announcer = document.getElementById("announcer");
let timer = 0;

/** @param {string} text */
export function show(text) {
  clearTimeout(timer);
  toast.textContent = text;
  toast.hidden = false;
  timer = setTimeout(() => {
    toast.hidden = true;
  }, TOAST_MS);
}

/** @param {string[]} changes */
export function announce(changes) {
  if (changes.length) announcer.textContent = changes.join("; ");
}
