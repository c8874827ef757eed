/** What is on the page for one camera: picture, notice, name and figures. */

import { hashOf } from "./route.js";
import { stateName } from "./words.js";

const template = document.getElementById("tile");

export class Tile {
  #parts;
  #figures;

  /** @param {string} topic */
  constructor(topic) {
    // A mere clone would be of the template's own document, where offscreen canvases never show.
    /** @type {HTMLLIElement} */
    this.element = document.importNode(template.content.firstElementChild, true);
    const part = (selector) => this.element.querySelector(selector);
    /** @type {HTMLAnchorElement} */
    this.link = part(".picture");
    /** @type {HTMLCanvasElement} */
    this.canvas = part(".frame");
    this.#parts = {
      name: part(".name"),
      state: part(".state"),
      notice: part(".notice"),
      badge: part(".badge"),
      mode: part(".mode"),
    };
    this.#figures = [...this.element.querySelectorAll("[data-figure]")];
    this.element.dataset.topic = topic;
    this.link.href = hashOf(topic);
    this.#parts.name.textContent = this.#parts.name.title = topic;
  }

  /** Width by height of the picture, by which it gets its place. */
  set ratio(ratio) {
    this.link.style.setProperty("--ratio", String(ratio));
  }

  /** @param {Record<string, string>} figures by the names of their elements; others stay */
  showFigures(figures) {
    for (const element of this.#figures) {
      const text = figures[element.dataset.figure];
      if (text !== undefined) setText(element, text);
    }
  }

  /**
   * @param {string} state as the server tells it
   * @param {string} trouble what stands in place of the picture; empty if it is all right
   * @param {boolean} passing whether that is over in a moment, as a rule
   */
  showState(state, trouble, passing) {
    setData(this.element, "state", state);
    setText(this.#parts.state, stateName(state));
    setNote(this.#parts.notice, trouble, passing);
    const label = `${this.element.dataset.topic}, ${trouble || stateName(state)}`;
    if (this.link.getAttribute("aria-label") !== label) this.link.setAttribute("aria-label", label);
  }

  /**
   * @param {"open" | "closed"} socket
   * @param {string} badge a word about the picture
   * @param {boolean} passing as above
   * @param {boolean} compatible whether it is an <img>
   */
  showTransport(socket, badge, passing, compatible) {
    setData(this.element, "socket", socket);
    setNote(this.#parts.badge, badge, passing);
    this.#parts.mode.hidden = !compatible;
  }

  /** @param {number | null} sequence of the frame on the screen, if that is known */
  showSequence(sequence) {
    if (sequence === null) delete this.element.dataset.sequence;
    else setData(this.element, "sequence", String(sequence));
  }
}

// Elements are left alone while they say the same: it spares work, and readers say nothing twice.

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function setData(element, name, value) {
  if (element.dataset[name] !== value) element.dataset[name] = value;
}

function setNote(element, text, passing) {
  setText(element, text);
  element.hidden = !text;
  element.toggleAttribute("data-passing", passing);
}
