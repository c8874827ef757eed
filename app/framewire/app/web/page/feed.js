/** One camera's WebSocket, in the worker: connects again and acknowledges. */

const BACKOFF_MS = [500, 1000, 2000, 4000];
const OPEN_WITHIN_MS = 5000;

export class Feed {
  #url;
  #take;
  #changed;
  /** @type {WebSocket | null} */
  #socket = null;
  #timer = 0;
  #tries = 0;
  #wanted = false;
  #paused = false;
  #owed = false;

  /**
   * @param {string} url
   * @param {(message: ArrayBuffer) => Promise<void>} take ends when the frame is drawn or dropped
   * @param {(change: "open" | "closed" | "failed") => void} changed `failed`: did not even open
   */
  constructor(url, take, changed) {
    this.#url = url;
    this.#take = take;
    this.#changed = changed;
  }

  get paused() {
    return this.#paused;
  }

  open() {
    this.#wanted = true;
    if (!this.#paused && !this.#socket && !this.#timer) this.#connect();
  }

  close() {
    this.#wanted = false;
    this.#drop();
  }

  /** Do not wait any longer to connect again. */
  retry() {
    if (!this.#timer) return;
    this.#drop();
    this.open();
  }

  /** Close, and open again at once. */
  reopen() {
    if (!this.#wanted) return;
    this.#drop();
    this.open();
  }

  /** From now on no frame is taken or acknowledged; so none comes but the one under way. */
  pause() {
    this.#paused = true;
    clearTimeout(this.#timer);
    this.#timer = 0;
  }

  resume() {
    this.#paused = false;
    if (this.#owed) this.#acknowledge();
    if (this.#wanted) this.open();
  }

  /** Say something to the server; lost if it is not open. @param {string} text */
  say(text) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(text);
  }

  #connect() {
    this.#timer = 0;
    const socket = new WebSocket(this.#url);
    const patience = setTimeout(() => socket.close(), OPEN_WITHIN_MS);
    let opened = false;
    this.#socket = socket;
    this.#owed = false;
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      clearTimeout(patience);
      opened = true;
      this.#changed("open");
    };
    socket.onmessage = ({ data }) => this.#received(socket, data);
    socket.onclose = () => {
      clearTimeout(patience);
      this.#socket = null;
      this.#owed = false;
      this.#changed(opened ? "closed" : "failed");
      if (this.#wanted && !this.#paused) this.#connectLater();
    };
  }

  #connectLater() {
    const delayMs = BACKOFF_MS[Math.min(this.#tries++, BACKOFF_MS.length - 1)];
    this.#timer = setTimeout(() => this.#connect(), delayMs);
  }

  async #received(socket, message) {
    this.#tries = 0;
    if (!this.#paused) await this.#take(message);
    if (socket !== this.#socket) return;
    this.#owed = true;
    if (!this.#paused) this.#acknowledge();
  }

  #acknowledge() {
    this.#owed = false;
    this.#socket.send("ack");
  }

  #drop() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    this.#tries = 0;
    const socket = this.#socket;
    this.#socket = null;
    this.#owed = false;
    if (!socket) return;
    socket.onmessage = socket.onclose = null;
    this.#changed("closed");
    // To close it before it is open would put a warning on the console.
    if (socket.readyState === WebSocket.CONNECTING) socket.onopen = () => socket.close();
    else socket.close();
  }
}
