/** The line to the instrument: a WebSocket that comes back by itself, and the instrument's clock. */

import { FarClock, here } from "./clocks.js";

const FIRST_S = 0.25; // until it tries again; twice as long each time, and never in step with other pages
const MOST_S = 5;
const SILENT_S = 8; // the status comes each second: without any message for this long, the line is dead
const GREETS_S = 5; // it greets at once: without that for this long, the try is given up

export class Link {
  #socket = null;
  #handlers;
  #tries = 0;
  #timer = 0;
  #pings = new Map();
  #ping = 0;
  #heard = 0; // when something came last, or it was tried
  #waiting = null;
  #flushing = 0;
  #sets = 0; // how many went out
  connected = false;
  clock = new FarClock();

  /**
   * handlers: by key of a message, each called with (what it says, the whole message); and `open`, `closed` (with
   * the seconds until the next try).
   */
  constructor(handlers) {
    this.#handlers = handlers;
    this.#connect();
    setInterval(() => this.#keepAlive(), 2000);
    addEventListener("online", () => this.retry());
    document.addEventListener("visibilitychange", () => !document.hidden && this.retry());
  }

  /** The instrument's time now, s. */
  now() {
    return this.clock.at(here());
  }

  /** Say something; false if nobody hears it. */
  send(message) {
    if (!this.connected || this.#socket.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(JSON.stringify(message));
    return true;
  }

  /**
   * Give a parameter another value, at once; what comes within 16 ms after that goes out together. Returns the number
   * by which it is answered.
   */
  set(name, value) {
    this.#waiting = { ...this.#waiting, [name]: value };
    const number = this.#sets;
    if (!this.#flushing) this.#flush();
    return number;
  }

  #flush() {
    this.#flushing = 0;
    if (this.#waiting === null) return;
    this.send({ set: this.#waiting, as: this.#sets++ });
    this.#waiting = null;
    this.#flushing = setTimeout(() => this.#flush(), 16);
  }

  /** Try again at once, if there is no line: also where a try hangs. */
  retry() {
    if (!this.connected) this.#connect();
  }

  #connect() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    this.#drop();
    this.#heard = here();
    const url = new URL("api/live", document.baseURI);
    url.protocol = url.protocol.replace("http", "ws");
    const socket = (this.#socket = new WebSocket(url));
    socket.onmessage = (event) => socket === this.#socket && this.#take(event.data);
    socket.onclose = () => socket === this.#socket && this.#lost();
  }

  /** Whatever the socket there is still says is not heard. */
  #drop() {
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
  }

  #lost() {
    const was = this.connected;
    this.connected = false;
    const wait = Math.min(FIRST_S * 2 ** this.#tries++, MOST_S) * (0.7 + 0.6 * Math.random());
    this.#timer = setTimeout(() => this.#connect(), wait * 1000);
    this.#handlers.closed(wait, was);
  }

  #take(text) {
    this.#heard = here();
    const message = JSON.parse(text);
    if (!this.connected) this.#begin(message);
    for (const key in message) {
      if (key === "pong") this.#pong(message);
      else this.#handlers[key]?.(message[key], message);
    }
  }

  #begin(message) {
    const before = this.clock.set ? this.now() : null;
    if (message.hello) this.clock.reset(message.hello.now, this.#heard);
    this.connected = true;
    this.#tries = 0;
    this.#pings.clear();
    this.#handlers.open(before === null || !message.hello ? 0 : message.hello.now - before);
    for (let i = 0; i < 6; i++) setTimeout(() => this.#sendPing(), i * 120);
  }

  #keepAlive() {
    if (this.#timer) return; // it waits for its next try
    if (here() - this.#heard > (this.connected ? SILENT_S : GREETS_S)) {
      this.#drop();
      this.#lost();
    } else this.#sendPing();
  }

  #sendPing() {
    if (this.#pings.size > 16) this.#pings.clear();
    this.#pings.set(++this.#ping, here());
    this.send({ ping: this.#ping });
  }

  #pong(message) {
    const sent = this.#pings.get(message.pong);
    if (sent === undefined || typeof message.now !== "number") return;
    this.#pings.delete(message.pong);
    this.clock.take(sent, this.#heard, message.now);
  }
}
