/** One topic on the page: its name, its time line, its files. */

import { fileUrl } from "./addresses.js";
import { counted, lasts, moment, size } from "./times.js";
import { Timeline } from "./timeline.js";

const template = document.getElementById("row");

const STATES = { unread: "being read", growing: "recording", cut: "cut off", damaged: "damaged", finished: "" };

const sum = (files, what) => files.reduce((total, file) => total + file[what], 0);

export class Row {
  #part;
  #listed = "";

  /**
   * @param {string} topic
   * @param {(ms: number | null) => void} chosen called with a time of it, or none
   */
  constructor(topic, chosen) {
    /** @type {HTMLLIElement} */
    this.element = document.importNode(template.content.firstElementChild, true);
    this.element.dataset.topic = topic;
    this.topic = topic;
    this.#part = (selector) => this.element.querySelector(selector);
    this.#part(".name").textContent = topic || "other files";
    this.#part(".name").disabled = !topic;
    this.#part(".name").addEventListener("click", () => chosen(null));
    this.timeline = new Timeline(chosen);
    this.#part(".files").before(this.timeline.element);
  }

  /** Whether there is anything to play. */
  playable = false;

  /** @type {import("./shelf.js").File[]} */
  files = [];

  /** @param {import("./shelf.js").File[]} files */
  update(files) {
    const listed = JSON.stringify(files);
    if (listed === this.#listed) return; // who selects text in it is not disturbed
    this.#listed = listed;
    this.files = files;
    this.playable = this.topic !== "" && files.some(({ frames }) => frames > 0);
    this.#part(".name").disabled = !this.playable;
    this.timeline.show(this.topic ? files : []);
    const lost = sum(files, "lost");
    const facts = [
      counted(sum(files, "frames"), "frame"),
      lost > 0 && `${lost} lost`,
      size(sum(files, "bytes")),
      files.some(({ state }) => state === "growing") && "recording now",
    ];
    this.#part(".about").textContent = facts.filter(Boolean).join(" · ");
    this.#part(".files summary").textContent = counted(files.length, "file");
    this.#part("tbody").replaceChildren(...files.map(fileRow));
    if (!this.playable) this.#part(".files").open = true;
  }

  /** @param {boolean} current whether it is the one that is played */
  set current(current) {
    this.element.toggleAttribute("data-current", current);
    this.#part(".name").setAttribute("aria-pressed", String(current));
    if (!current) this.timeline.position = null;
  }
}

/** @param {import("./shelf.js").File} file */
function fileRow(file) {
  const row = document.createElement("tr");
  row.dataset.state = file.state;
  row.dataset.name = file.name;
  const known = file.frames > 0;
  const link = document.createElement("a");
  Object.assign(link, { href: fileUrl(file.name), download: "", textContent: "Download", title: file.name });
  const cells = [
    known ? moment(file.began) : file.name,
    known ? lasts(file.ended - file.began) : "–",
    known ? String(file.frames) : "–",
    known ? String(file.lost) : "–",
    size(file.bytes),
    STATES[file.state],
    link,
  ];
  row.append(
    ...cells.map((content) => {
      const cell = document.createElement("td");
      cell.append(content);
      return cell;
    }),
  );
  row.cells[3].toggleAttribute("data-lost", file.lost > 0);
  if (file.reason) row.cells[5].append(`: ${file.reason}`);
  return row;
}
