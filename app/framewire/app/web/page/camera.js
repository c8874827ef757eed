/** One camera on the page: what the server says of it, its viewer and its tile. */

import { Tile } from "./tile.js";
import { Viewer } from "./viewer.js";
import { figures, timeOfDay, trouble } from "./words.js";

const USUAL_RATIO = 16 / 9;

export class Camera {
  #reshaped;
  #onScreen = true;
  #wanted = false;

  /**
   * @param {import("./streams.js").Stream} stream
   * @param {() => void} reshaped called when the shape of the picture has changed
   */
  constructor(stream, reshaped) {
    this.topic = stream.topic;
    this.stream = stream;
    this.ratio = 0;
    this.tile = new Tile(stream.topic);
    this.viewer = new Viewer(stream.topic, this.tile.canvas, () => this.#viewerChanged());
    this.#reshaped = reshaped;
    this.update(stream);
  }

  /** What is wrong with it, in a few words; empty if pictures are coming. */
  get trouble() {
    return trouble(this.stream);
  }

  /** @param {import("./streams.js").Stream} stream */
  update(stream) {
    this.stream = stream;
    const { width, height } = this.viewer.drawn ?? stream;
    this.tile.showFigures(figures({ ...stream, width, height }, this.#onScreenFigures()));
    this.#viewerChanged();
  }

  /** The server has answered a poll: sockets should work. */
  serverAnswered() {
    const { state, fps } = this.stream;
    this.viewer.serverAnswered(state === "live" && fps > 0 ? 1000 / fps : Infinity);
  }

  /** Whether its tile is within what is scrolled into view. */
  set onScreen(onScreen) {
    this.#onScreen = onScreen;
    this.#openOrClose();
  }

  /** Whether the page wants to show it. */
  set wanted(wanted) {
    this.#wanted = wanted;
    this.#openOrClose();
  }

  remove() {
    this.viewer.remove();
    this.tile.element.remove();
  }

  #openOrClose() {
    if (this.#wanted && this.#onScreen) this.viewer.open();
    else this.viewer.close();
    this.#showTransport();
  }

  /** What only this browser knows; the server's word for the age of what an <img> shows. */
  #onScreenFigures() {
    const { pausedAt, compatible, drawn } = this.viewer;
    if (pausedAt || this.stream.state !== "live") return { ageMs: null, shownFps: null };
    if (compatible) return { ageMs: this.stream.age_ms, shownFps: null };
    return { ageMs: drawn?.ageMs ?? null, shownFps: drawn?.fps ?? null };
  }

  #viewerChanged() {
    const { drawn, undecodable, compatible } = this.viewer;
    this.tile.showSequence(drawn?.sequence ?? null);
    const waiting = !drawn && !compatible;
    const picture = undecodable
      ? "this browser cannot decode its pictures"
      : waiting && "waiting for the first picture";
    this.tile.showState(this.stream.state, this.trouble || picture || "", !this.trouble && waiting);
    this.#showTransport();
    this.#reshape(drawn ?? this.stream);
  }

  #showTransport() {
    const { pausedAt, connecting, connected, compatible } = this.viewer;
    const badge = pausedAt ? `paused at ${timeOfDay(pausedAt)}` : connecting ? "connecting" : "";
    const socket = connected ? "open" : "closed";
    this.tile.showTransport(socket, badge, !pausedAt && connecting, compatible);
  }

  #reshape({ width, height }) {
    const ratio = width > 0 && height > 0 ? width / height : USUAL_RATIO;
    if (ratio === this.ratio) return;
    this.ratio = ratio;
    this.tile.ratio = ratio;
    this.#reshaped();
  }
}
