/** What the address says is to be shown: #lab/cam1 is one camera, no hash all of them. */

/** The topic in the address; empty for all cameras. */
export function topicInAddress() {
  const hash = location.hash.slice(1);
  try {
    return decodeURIComponent(hash);
  } catch {
    return hash;
  }
}

/** @param {string} topic */
export const hashOf = (topic) => `#${topic.split("/").map(encodeURIComponent).join("/")}`;

/** One camera in full; the browser's back button returns to all. @param {string} topic */
export const enter = (topic) => history.pushState({ entered: true }, "", hashOf(topic));

/** Another one instead, in the same place of the history. @param {string} topic */
export const change = (topic) => history.replaceState(history.state, "", hashOf(topic));

/** Back to all cameras, as the back button would where it leads there. */
export function leave() {
  if (history.state?.entered) history.back();
  else history.replaceState(null, "", location.pathname + location.search);
}

/** @param {() => void} listener called when the user has changed the address, or gone back */
export function onAddress(listener) {
  addEventListener("popstate", listener);
  addEventListener("hashchange", listener);
}
