/** All cameras of the page, in the order of their topics, and the grid that they are in. */

import { Camera } from "./camera.js";
import { layOut } from "./grid.js";

/** A camera that the server no longer lists, as after its own restart, keeps its tile so long. */
const KEPT_MS = 30_000;

const inOrder = new Intl.Collator("en", { numeric: true });

export class Wall {
  #grid;
  #place;
  /** @type {Map<string, Camera>} */
  #cameras = new Map();
  /** @type {Map<string, number>} when cameras were missed first, server's clock, ns */
  #missedNs = new Map();
  /** @type {Camera | null} */
  #shown = null;
  #layoutDue = false;
  #watcher;

  /**
   * @param {HTMLElement} grid
   * @param {HTMLElement} place that the grid should fit into
   */
  constructor(grid, place) {
    this.#grid = grid;
    this.#place = place;
    const within = { root: place, rootMargin: "50%" };
    this.#watcher = new IntersectionObserver((entries) => this.#scrolled(entries), within);
    new ResizeObserver(() => this.#layOutSoon()).observe(place);
  }

  /** @returns {Camera[]} */
  get cameras() {
    return [...this.#cameras.values()].sort((a, b) => inOrder.compare(a.topic, b.topic));
  }

  /** The only camera that is shown, if it is only one. */
  get shown() {
    return this.#shown;
  }

  get columns() {
    return Number(this.#grid.style.getPropertyValue("--columns"));
  }

  /** @param {string} topic */
  find(topic) {
    return this.#cameras.get(topic) ?? null;
  }

  /** @param {import("./streams.js").Listed} listed */
  update({ streams, topic, now_ns }) {
    for (const stream of streams) {
      this.#missedNs.delete(stream.topic);
      const camera = this.find(stream.topic);
      if (camera) camera.update(stream);
      else this.#add(stream);
    }
    const listed = new Set(streams.map((stream) => stream.topic));
    for (const camera of this.cameras) {
      const asked = topic === null || topic === camera.topic;
      if (asked && !listed.has(camera.topic)) this.#miss(camera, now_ns);
    }
  }

  /**
   * Show one camera, or all of them.
   *
   * @param {Camera | null} camera
   * @param {boolean} awake whether pictures are wanted at all
   */
  show(camera, awake) {
    if (camera !== this.#shown) this.#layOutSoon();
    this.#shown = camera;
    for (const each of this.#cameras.values()) {
      const wanted = camera === null || each === camera;
      each.tile.element.hidden = !wanted;
      each.wanted = wanted && awake;
    }
  }

  /**
   * The camera so many places after (or before) another, round the corner.
   *
   * @param {Camera} camera
   * @param {number} places
   */
  neighbour(camera, places) {
    const all = this.cameras;
    return all.at((all.indexOf(camera) + places) % all.length);
  }

  #add(stream) {
    const camera = new Camera(stream, () => this.#layOutSoon());
    const { element } = camera.tile;
    const following = this.cameras.find((each) => inOrder.compare(each.topic, camera.topic) > 0);
    this.#cameras.set(camera.topic, camera);
    this.#grid.insertBefore(element, following?.tile.element ?? null);
    this.#watcher.observe(element);
    this.#layOutSoon();
  }

  #miss(camera, nowNs) {
    const { topic, stream } = camera;
    const sinceNs = this.#missedNs.get(topic) ?? nowNs;
    this.#missedNs.set(topic, sinceNs);
    if (camera !== this.#shown && nowNs - sinceNs > KEPT_MS * 1e6) this.#remove(camera);
    else camera.update({ ...stream, state: "stale", reason: "", since_ns: sinceNs, fps: 0 });
  }

  #remove(camera) {
    this.#watcher.unobserve(camera.tile.element);
    this.#cameras.delete(camera.topic);
    this.#missedNs.delete(camera.topic);
    camera.remove();
    this.#layOutSoon();
  }

  #scrolled(entries) {
    for (const { target, isIntersecting } of entries) {
      const camera = this.find(target.dataset.topic);
      if (camera) camera.onScreen = isIntersecting;
    }
  }

  #layOutSoon() {
    if (this.#layoutDue) return;
    this.#layoutDue = true;
    queueMicrotask(() => this.#layOut());
  }

  #layOut() {
    this.#layoutDue = false;
    const shown = this.#shown ? [this.#shown] : this.cameras;
    const { width, height } = innerSize(this.#place);
    const { columns, rows, scrolls, cell } = layOut(shown.map(({ ratio }) => ratio), width, height);
    this.#grid.style.setProperty("--columns", String(columns));
    this.#grid.style.setProperty("--rows", String(rows));
    this.#grid.style.setProperty("--cell", String(cell));
    this.#grid.toggleAttribute("data-scrolls", scrolls);
  }
}

function innerSize(element) {
  const style = getComputedStyle(element);
  return {
    width: element.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight),
    height: element.clientHeight - parseFloat(style.paddingTop) - parseFloat(style.paddingBottom),
  };
}
