/** Wires the page: polls, cameras, address, buttons and keys. */

import { ServerClock } from "./clock.js";
import { setClock } from "./decoding.js";
import { FULL_SCREEN, onFullScreen, toggleFullScreen } from "./fullscreen.js";
import { LIVE, onKey } from "./keys.js";
import { change, enter, leave, onAddress, topicInAddress } from "./route.js";
import { saveSnapshot } from "./snapshot.js";
import { StreamsPoll } from "./streams.js";
import { announce, show } from "./voice.js";
import { Wall } from "./wall.js";
import { stateName, summary, timeOfDay } from "./words.js";

const part = (id) => document.getElementById(id);
const wall = new Wall(part("grid"), part("main"));
const clock = new ServerClock();
const poll = new StreamsPoll({ listed, failed, refused }, () => wall.shown?.topic ?? null);

/**
 * What the last polls said of the server.
 *
 * @type {"unasked" | "listed" | "unreachable" | "refused"}
 */
let server = "unasked";
let version = "";

// -- what the server says ----------------------------------------------------------------------

/** @param {import("./streams.js").Listed} answer */
function listed(answer) {
  if (version && version !== answer.version) location.reload(); // the server has another page now
  version = answer.version;
  part("recordings").hidden = !answer.recordings;
  clock.add(answer.askedMs, answer.answeredMs, answer.now_ns);
  setClock(clock.aheadMs);
  const returned = server === "unreachable";
  const before = new Map(wall.cameras.map(({ topic, stream }) => [topic, stream.state]));
  server = "listed";
  wall.update(answer);
  for (const camera of wall.cameras) {
    if (returned) camera.viewer.serverReturned();
    else camera.serverAnswered();
  }
  arrange();
  announce(
    wall.cameras
      .filter(({ topic, stream }) => before.has(topic) && before.get(topic) !== stream.state)
      .map(({ topic, stream, trouble }) => `${topic}: ${trouble || stateName(stream.state)}`),
  );
}

/** One failure is soon forgotten; two in a row are told. */
function failed(failures, since) {
  for (const { viewer } of wall.cameras) viewer.serverFailed();
  if (failures < 2) return;
  server = "unreachable";
  const at = timeOfDay(since);
  setBanner(`no connection to this server since ${at}, trying again`);
  arrange();
}

function refused() {
  server = "refused";
  arrange();
}

// -- what is shown -----------------------------------------------------------------------------

function arrange() {
  const topic = topicInAddress();
  const before = wall.shown;
  const shown = wall.find(topic);
  const awake = document.visibilityState === "visible" && server !== "refused";
  wall.show(shown, awake);
  document.title = shown ? `${shown.topic} · framewire` : "framewire";
  document.body.dataset.view = shown ? "one" : "grid";
  document.body.dataset.server = server;
  part("grid").hidden = server === "refused" || wall.cameras.length === 0;
  part("refused").hidden = server !== "refused";
  part("empty").hidden = server !== "listed" || wall.cameras.length > 0;
  if (server !== "unreachable") setBanner("");
  part("unknown").hidden = server !== "listed" || !topic || shown !== null;
  part("unknown").firstElementChild.textContent = `There is no camera ${topic} here.`;
  part("version").textContent = version && `framewire ${version}`;
  arrangeBar(shown);
  if (before && shown !== before) keepFocus(shown ?? before);
}

function arrangeBar(shown) {
  const { cameras } = wall;
  const none = cameras.length === 0 || server === "refused";
  const known = server === "listed" && !none;
  part("summary").textContent = known ? summary(cameras.map(({ stream }) => stream.state)) : "";
  for (const id of ["back", "previous", "next", "snapshot"]) part(id).hidden = none || !shown;
  for (const id of ["previous", "next"]) part(id).disabled = cameras.length < 2;
  part("pause").hidden = none;
  part("full").hidden = !FULL_SCREEN;
  const paused = !none && affected().every(({ viewer }) => viewer.pausedAt);
  part("pause").toggleAttribute("data-on", paused);
  part("pause").lastElementChild.textContent = paused ? "Resume" : "Pause";
}

function setBanner(text) {
  if (part("banner").textContent !== text) part("banner").textContent = text;
  part("banner").hidden = !text;
}

/** Who had the focus on something that has gone would be at the top of the page again. */
function keepFocus(camera) {
  const { activeElement } = document;
  if (activeElement === document.body || activeElement?.closest("[hidden]")) {
    camera.tile.link.focus();
  }
}

// -- what the user does ------------------------------------------------------------------------

/** The cameras that a pause is for. */
const affected = () => (wall.shown ? [wall.shown] : wall.cameras);

function showOne(topic) {
  enter(topic);
  arrange();
}

function showAll() {
  leave();
  arrange();
}

function showNeighbour(places) {
  change(wall.neighbour(wall.shown, places).topic);
  arrange();
}

function togglePause() {
  const cameras = affected();
  const pausing = cameras.some(({ viewer }) => !viewer.pausedAt);
  for (const { viewer } of cameras) {
    if (pausing) viewer.pause();
    else viewer.resume();
  }
  arrangeBar(wall.shown);
}

async function snapshot() {
  const tile = document.activeElement?.closest(".tile") ?? document.querySelector(".tile:hover");
  const camera = wall.shown ?? wall.find(tile?.dataset.topic);
  if (camera) show(await saveSnapshot(camera));
  else show("to save a snapshot, open a camera or go to it with Tab");
}

function toggleHelp() {
  if (part("keys").open) part("keys").close();
  else part("keys").showModal();
}

/** In the grid arrows move the focus, as far as there are tiles. */
function focusTile(places) {
  const links = wall.cameras.map(({ tile }) => tile.link);
  const index = links.indexOf(document.activeElement);
  (index < 0 ? links[0] : links[index + places])?.focus();
}

function move(across, down) {
  if (!wall.shown) focusTile(across + down * wall.columns);
  else if (across) showNeighbour(across);
  else return false;
}

/** Each returns false where the key means nothing now. */
const keys = {
  back: () => (wall.shown || topicInAddress() ? showAll() : false),
  left: () => move(-1, 0),
  right: () => move(1, 0),
  up: () => move(0, -1),
  down: () => move(0, 1),
  pause: togglePause,
  snapshot,
  full: toggleFullScreen,
  help: toggleHelp,
};

onKey(LIVE, (key) => (part("keys").open && key !== "help" ? false : keys[key]() !== false));

const buttons = {
  back: showAll,
  previous: () => showNeighbour(-1),
  next: () => showNeighbour(1),
  pause: togglePause,
  snapshot,
  full: toggleFullScreen,
  help: toggleHelp,
  close: toggleHelp,
};

for (const [id, press] of Object.entries(buttons)) part(id).addEventListener("click", press);

part("grid").addEventListener("click", (event) => {
  const tile = event.target.closest(".tile");
  const elsewhere = event.ctrlKey || event.metaKey || event.shiftKey; // a new tab or window
  if (!tile || elsewhere || !getSelection().isCollapsed) return;
  event.preventDefault();
  if (wall.shown) showAll();
  else showOne(tile.dataset.topic);
});

part("unknown").addEventListener("click", (event) => {
  if (!event.target.closest("a")) return;
  event.preventDefault();
  showAll();
});

// A click beside the dialog is one on the dialog itself, not on what it holds.
part("keys").addEventListener("click", ({ target }) => {
  if (target === part("keys")) toggleHelp();
});

onFullScreen((full) => {
  document.body.toggleAttribute("data-full", full);
  part("full").toggleAttribute("data-on", full);
});

onAddress(arrange);

document.addEventListener("visibilitychange", () => {
  arrange();
  if (document.visibilityState === "visible") poll.start();
  else poll.stop();
});

arrange();
poll.start();
