/** Wires the page of recordings: what there is, what is played, buttons and keys. */

import { cutUrl } from "./addresses.js";
import { FULL_SCREEN, onFullScreen, toggleFullScreen } from "./fullscreen.js";
import { RECORDINGS, onKey } from "./keys.js";
import { Player } from "./player.js";
import { change, onAddress, topicInAddress } from "./route.js";
import { Row } from "./row.js";
import { follow } from "./shelf.js";
import { download } from "./snapshot.js";
import { counted, day, exact, lasts, msOf, nsOf, size } from "./times.js";
import { Timeline } from "./timeline.js";
import { show } from "./voice.js";
import { snapshotName } from "./words.js";

const part = (id) => document.getElementById(id);
const inOrder = new Intl.Collator("en", { numeric: true });
const SPEEDS = [0.1, 0.25, 0.5, 1, 2, 4, 8, 16];
const LEAP_MS = 5000;

/** @type {Map<string, Row>} */
const rows = new Map();
/** @type {Player | null} */
let player = null;
const how = { speed: 1, skips: true };
/** Of the topic that is played: larger than that in its row, and only this one is zoomed. */
const timeline = new Timeline((ms) => player?.jump(ms));
part("time-line").append(timeline.element);
let marks = { in: null, out: null };
let version = "";

// -- what the server says ----------------------------------------------------------------------

function listed(answer) {
  if (version && version !== answer.version) location.reload(); // the server has another page now
  version = answer.version;
  part("version").textContent = `framewire ${version}`;
  part("command").textContent = `framewire record tcp://127.0.0.1:5555 --out ${answer.folder}`;
  setBanner("");
  update(answer.topics);
  document.body.dataset.state = rows.size ? "listed" : "empty";
  part("empty").hidden = rows.size > 0;
  part("refused").hidden = true;
  const files = answer.topics.flatMap((topic) => topic.files);
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  const unread = answer.unread ? `, ${answer.unread} to be read` : "";
  part("summary").textContent = rows.size ? `${counted(files.length, "file")}, ${size(bytes)}${unread}` : "";
  if (!player) chooseFirst();
}

function update(topics) {
  const there = new Set(topics.map(({ topic }) => topic));
  for (const [topic, row] of rows) {
    if (there.has(topic)) continue;
    row.element.remove();
    rows.delete(topic);
    if (player?.topic === topic) leave();
  }
  for (const { topic, files } of topics) {
    const row = rows.get(topic) ?? new Row(topic, (ms) => choose(topic, ms));
    rows.set(topic, row);
    row.update(files);
    if (player?.topic === topic) timeline.show(files);
  }
  const all = [...rows.values()];
  all.sort((a, b) => Number(b.playable) - Number(a.playable) || inOrder.compare(a.topic, b.topic));
  const elements = all.map(({ element }) => element);
  const list = part("shelf");
  if (elements.some((element, at) => list.children[at] !== element)) list.replaceChildren(...elements);
}

function failed() {
  setBanner("no connection to this server, trying again");
}

function refused() {
  document.body.dataset.state = "refused";
  part("refused").hidden = false;
  part("empty").hidden = true;
}

function setBanner(text) {
  if (part("banner").textContent !== text) part("banner").textContent = text;
  part("banner").hidden = !text;
}

// -- what is played ----------------------------------------------------------------------------

function chooseFirst() {
  const wanted = rows.get(topicInAddress());
  const row = wanted?.playable ? wanted : [...rows.values()].find(({ playable }) => playable);
  if (row) choose(row.topic, null, Boolean(wanted));
}

/** Play a topic, from a time or from its beginning. */
function choose(topic, ms, named = true) {
  const row = rows.get(topic);
  if (!row?.playable) return;
  if (player?.topic !== topic) {
    leave();
    const canvas = Object.assign(document.createElement("canvas"), { className: "frame", width: 16, height: 9 });
    part("picture").prepend(canvas);
    part("theatre").hidden = false;
    player = new Player(topic, canvas, how, playerChanged);
    for (const each of rows.values()) each.current = each === row;
    timeline.begin(row.files);
    setMarks({ in: null, out: null });
    if (named) change(topic);
  }
  if (ms !== null) player.jump(ms);
}

function leave() {
  player?.remove();
  player = null;
  part("theatre").hidden = true;
}

function playerChanged() {
  if (!player) return;
  const { drawn, topic, settled, playing, connected } = player;
  const theatre = part("theatre");
  Object.assign(theatre.dataset, {
    topic,
    state: settled ? (playing ? "playing" : "paused") : "seeking",
    socket: connected ? "open" : "closed",
    sequence: drawn ? String(drawn.sequence) : "",
    turn: drawn ? String(drawn.turn) : "",
  });
  part("play").toggleAttribute("data-on", playing);
  part("topic").textContent = topic;
  setNotice();
  if (drawn) {
    part("picture").style.setProperty("--ratio", String(drawn.width / drawn.height));
    part("time").textContent = exact(drawn.captured_ns);
    part("date").textContent = day(msOf(drawn.captured_ns));
    part("number").textContent = String(drawn.sequence);
    theatre.dataset.captured = String(drawn.captured_ns);
  }
  movePlayhead();
}

function setNotice() {
  const { drawn, undecodable, blocked } = player;
  let text = drawn ? "" : "waiting for the first picture";
  if (undecodable) text = "this picture cannot be decoded";
  if (blocked) text = "no pictures come through: WebSockets are blocked, or too many play";
  part("notice").textContent = text;
  part("notice").hidden = !text;
  part("notice").toggleAttribute("data-passing", !undecodable && !blocked);
}

function movePlayhead() {
  const { topic, position } = player;
  timeline.position = position;
  const row = rows.get(topic);
  if (row) row.timeline.position = position;
}

function run() {
  if (player?.playing) movePlayhead();
  requestAnimationFrame(run);
}

// -- what the user does ------------------------------------------------------------------------

function togglePlay() {
  if (!player.playing && player.atEnd) player.jump(timeline.all.from);
  player.toggle();
}

function leap(ms) {
  const { from, to } = timeline.all;
  const at = player.position ?? from;
  player.jump(Math.min(to, Math.max(from, at + ms)));
}

function setSpeed(speed) {
  how.speed = speed;
  part("speed").value = String(speed);
  player?.setSpeed(speed);
}

function changeSpeed(places) {
  const at = Math.min(SPEEDS.length - 1, Math.max(0, SPEEDS.indexOf(how.speed) + places));
  setSpeed(SPEEDS[at]);
  show(`${SPEEDS[at]}× speed`);
}

function setSkips(skips) {
  how.skips = skips;
  part("skip").checked = skips;
  player?.setSkips(skips);
}

function setMark(which) {
  if (!player.drawn) return;
  const other = which === "in" ? "out" : "in";
  const next = { ...marks, [which]: msOf(player.drawn.position_ns) };
  const turned = next.in !== null && next.out !== null && next.in > next.out;
  setMarks(turned ? { ...next, [other]: null } : next);
}

function setMarks(next) {
  marks = next;
  for (const which of ["in", "out"]) part(which).toggleAttribute("data-on", marks[which] !== null);
  const whole = marks.in !== null && marks.out !== null;
  part("cut").hidden = !whole;
  part("uncut").hidden = marks.in === null && marks.out === null;
  if (player) timeline.marks = marks;
  if (!whole) return;
  part("cut").href = cutUrl(player.topic, nsOf(marks.in), nsOf(marks.out));
  part("cut").textContent = `Save cut, ${lasts(marks.out - marks.in)}`;
}

async function snapshot() {
  const { drawn, topic } = player;
  const jpeg = await player.picture();
  if (!jpeg || !drawn) return show("there is no picture to save");
  const name = snapshotName(topic, new Date(msOf(drawn.captured_ns)));
  download(jpeg, name);
  return show(`saved ${name}`);
}

function toggleHelp() {
  if (part("keys").open) part("keys").close();
  else part("keys").showModal();
}

const deeds = {
  play: togglePlay,
  earlier: () => player.step(-1),
  later: () => player.step(1),
  backward: () => leap(-LEAP_MS),
  forward: () => leap(LEAP_MS),
  faster: () => changeSpeed(1),
  slower: () => changeSpeed(-1),
  first: () => player.jump(timeline.all.from),
  last: () => player.jump(timeline.all.to),
  closer: () => timeline.zoom(0.25),
  further: () => timeline.zoom(4),
  skip: () => setSkips(!how.skips),
  in: () => setMark("in"),
  out: () => setMark("out"),
  uncut: () => setMarks({ in: null, out: null }),
  snapshot,
  full: toggleFullScreen,
};

onKey(RECORDINGS, (key) => {
  if (key === "help") toggleHelp();
  else if (part("keys").open || !player) return false;
  else deeds[key]();
  return true;
});

const BUTTONS = ["play", "earlier", "later", "backward", "forward", "in", "out", "uncut", "closer", "further", "snapshot", "full"];
for (const id of BUTTONS) part(id).addEventListener("click", () => player && deeds[id]());
for (const id of ["help", "close"]) part(id).addEventListener("click", toggleHelp);

part("picture").addEventListener("click", () => player && togglePlay());
part("skip").addEventListener("change", ({ target }) => setSkips(target.checked));
part("speed").append(...SPEEDS.map((speed) => new Option(`${speed}×`, String(speed), speed === 1, speed === 1)));
part("speed").addEventListener("change", ({ target }) => {
  setSpeed(Number(target.value));
  target.blur(); // so that keys play again
});

// A click beside the dialog is one on the dialog itself, not on what it holds.
part("keys").addEventListener("click", ({ target }) => {
  if (target === part("keys")) toggleHelp();
});

part("full").hidden = !FULL_SCREEN;
onFullScreen((full) => {
  document.body.toggleAttribute("data-full", full);
  part("full").toggleAttribute("data-on", full);
});

onAddress(() => choose(topicInAddress(), null, false));
requestAnimationFrame(run);
follow({ listed, failed, refused });
