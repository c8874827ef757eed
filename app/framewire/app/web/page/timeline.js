/** The time line of one topic: what was recorded when, what is missing, and where we are. */

import { share, showing, ticks, timeAt, whole, within, zoomed } from "./scale.js";
import { clock, counted, day, lasts, tick } from "./times.js";

const template = document.getElementById("line");
const PX_A_TICK = 90;
const PX_A_LABEL = 72;
/** What is nearer to the pointer is meant by it, CSS pixels. */
const NEAR_PX = 4;

export class Timeline {
  #track;
  #part;
  /** @type {import("./shelf.js").File[]} */
  #files = [];
  #all = whole(0, 1);
  #view = whole(0, 1);
  #position = null;
  #marks = { in: null, out: null };
  #dragging = false;
  #jump;

  /**
   * @param {(ms: number) => void} jump called when the user has chosen a time
   */
  constructor(jump) {
    const line = document.importNode(template.content.firstElementChild, true);
    /** @type {HTMLDivElement} */
    this.element = line;
    this.#jump = jump;
    this.#part = (name) => line.querySelector(`.${name}`);
    this.#track = this.#part("track");
    this.#listen();
    new ResizeObserver(() => this.#draw()).observe(this.#track);
  }

  get all() {
    return this.#all;
  }

  /** @param {import("./shelf.js").File[]} files */
  show(files) {
    this.#files = files.filter(({ frames }) => frames > 0);
    const shown = this.#files.length > 0;
    this.element.hidden = !shown;
    if (!shown) return;
    const followed = this.#view.from === this.#all.from && this.#view.to === this.#all.to;
    const from = Math.min(...this.#files.map(({ began }) => began));
    const to = Math.max(...this.#files.map(({ ended }) => ended));
    this.#all = whole(from, to);
    this.#view = followed ? this.#all : within(this.#view, this.#all);
    this.#draw();
  }

  /** Another topic, all of it. @param {import("./shelf.js").File[]} files */
  begin(files) {
    this.#position = null;
    this.#view = this.#all;
    this.show(files);
  }

  /** @param {number | null} ms where the playhead is; null for none */
  set position(ms) {
    this.#position = ms;
    const view = ms === null || this.#dragging ? this.#view : showing(this.#view, ms, this.#all);
    if (view === this.#view) this.#drawPlayhead();
    else {
      this.#view = view;
      this.#draw();
    }
  }

  /** @param {{in: number | null, out: number | null}} marks */
  set marks(marks) {
    this.#marks = marks;
    this.#drawMarks();
  }

  /** @param {number} factor below 1 is closer @param {number} [around] */
  zoom(factor, around = this.#position ?? (this.#view.from + this.#view.to) / 2) {
    this.#view = zoomed(this.#view, factor, around, this.#all);
    this.#draw();
  }

  // -- drawing ---------------------------------------------------------------------------------

  #draw() {
    const pieces = [];
    for (const file of this.#files) {
      pieces.push(this.#piece("segment", file.began, file.ended, { state: file.state, name: file.name }));
      for (const { from, to, lost } of file.gaps) pieces.push(this.#piece("gap", from, to, { lost }));
    }
    this.#part("pieces").replaceChildren(...pieces.filter(Boolean));
    this.#track.dataset.from = String(this.#view.from);
    this.#track.dataset.to = String(this.#view.to);
    this.#track.setAttribute("aria-valuemin", String(Math.floor(this.#all.from)));
    this.#track.setAttribute("aria-valuemax", String(Math.ceil(this.#all.to)));
    this.#drawScale();
    this.#drawMarks();
    this.#drawPlayhead();
  }

  /** @returns {HTMLElement | null} null if it is out of sight */
  #piece(name, from, to, data) {
    const [left, right] = [share(this.#view, from), share(this.#view, to)];
    if (right < 0 || left > 1) return null;
    const piece = document.createElement("div");
    piece.className = name;
    Object.assign(piece.dataset, data);
    piece.style.left = percent(Math.max(0, left));
    piece.style.width = percent(Math.min(1, right) - Math.max(0, left));
    return piece;
  }

  #drawScale() {
    const width = this.#track.clientWidth;
    const { step, times } = ticks(this.#view, Math.max(2, Math.floor(width / PX_A_TICK)));
    const labels = times.map((time) => {
      const label = document.createElement("span");
      label.textContent = tick(time, step);
      label.style.left = percent(share(this.#view, time));
      return label;
    });
    const last = 100 * (1 - PX_A_LABEL / width);
    const whole = labels.filter((label) => parseFloat(label.style.left) <= last);
    this.#part("scale").replaceChildren(...whole);
  }

  #drawPlayhead() {
    const head = this.#part("playhead");
    const place = this.#position === null ? -1 : share(this.#view, this.#position);
    head.hidden = place < 0 || place > 1;
    head.style.left = percent(place);
    if (this.#position === null) return;
    this.#track.setAttribute("aria-valuenow", String(Math.round(this.#position)));
    this.#track.setAttribute("aria-valuetext", `${day(this.#position)} ${clock(this.#position, 1)}`);
  }

  #drawMarks() {
    const marks = this.#part("marks");
    const from = this.#marks.in ?? this.#marks.out;
    const to = this.#marks.out ?? this.#marks.in;
    marks.hidden = from === null;
    if (from === null) return;
    const [left, right] = [from, to].map((ms) => Math.min(1, Math.max(0, share(this.#view, ms))));
    marks.style.left = percent(left);
    marks.style.width = percent(right - left);
  }

  // -- the pointer -----------------------------------------------------------------------------

  #listen() {
    const track = this.#track;
    track.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      track.setPointerCapture(event.pointerId);
      this.#dragging = true;
      this.#choose(event);
    });
    track.addEventListener("pointermove", (event) => {
      if (this.#dragging) this.#choose(event);
      this.#hover(event);
    });
    for (const end of ["pointerup", "pointercancel"]) {
      track.addEventListener(end, () => {
        this.#dragging = false;
      });
    }
    track.addEventListener("pointerleave", () => this.#unhover());
    track.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
  }

  #timeUnder({ clientX }) {
    const { left, width } = this.#track.getBoundingClientRect();
    return timeAt(this.#view, Math.min(1, Math.max(0, (clientX - left) / width)));
  }

  #choose(event) {
    this.#jump(this.#timeUnder(event));
  }

  /** With Ctrl, as a pinch on a touch pad says, it zooms; sideways it moves. */
  #wheel(event) {
    const { ctrlKey, shiftKey, deltaX, deltaY } = event;
    const aside = shiftKey ? deltaX || deltaY : deltaX;
    if (ctrlKey) this.zoom(1.01 ** deltaY, this.#timeUnder(event));
    else if (Math.abs(aside) > Math.abs(deltaY) || shiftKey) {
      const by = (aside / this.#track.clientWidth) * (this.#view.to - this.#view.from);
      this.#view = within({ from: this.#view.from + by, to: this.#view.to + by }, this.#all);
      this.#draw();
    } else return;
    event.preventDefault();
  }

  #hover(event) {
    const time = this.#timeUnder(event);
    const place = share(this.#view, time);
    const [hover, tip] = [this.#part("hover"), this.#part("tip")];
    hover.hidden = tip.hidden = false;
    hover.style.left = percent(place);
    tip.textContent = [clock(time, 1), this.#told(time)].filter(Boolean).join(" · ");
    tip.toggleAttribute("data-lost", this.#gapAt(time) !== undefined);
    const room = this.#track.clientWidth - tip.offsetWidth;
    tip.style.left = `${Math.min(Math.max(0, place * this.#track.clientWidth - tip.offsetWidth / 2), room)}px`;
  }

  #unhover() {
    this.#part("hover").hidden = this.#part("tip").hidden = true;
  }

  /** What is to be said of a moment, other than its time. */
  #told(time) {
    const gap = this.#gapAt(time);
    if (gap) return `${counted(gap.lost, "frame")} missing`;
    if (this.#files.some(({ began, ended }) => began <= time && time <= ended)) return "";
    const before = Math.max(...this.#files.map(({ ended }) => ended).filter((ended) => ended < time));
    const after = Math.min(...this.#files.map(({ began }) => began).filter((began) => began > time));
    return Number.isFinite(after - before) ? `no recording for ${lasts(after - before)}` : "";
  }

  #gapAt(time) {
    const near = (NEAR_PX / this.#track.clientWidth) * (this.#view.to - this.#view.from);
    const gaps = this.#files.flatMap((file) => file.gaps);
    return gaps.find(({ from, to }) => from - near <= time && time <= to + near);
  }
}

const percent = (part) => `${100 * part}%`;
