// Talking to the studio's own server. The token comes in the address behind a #, which browsers send nowhere, and is
// kept for this tab only.

const KEY = "studio-token";
/** Milliseconds. */
const UNSEEN = 3000;

export function takeToken() {
  const found = /^#token=([\w-]+)$/.exec(location.hash);
  if (found) {
    sessionStorage.setItem(KEY, found[1]);
    history.replaceState(null, "", location.pathname + "#/");
  }
  return sessionStorage.getItem(KEY) || "";
}

export const setToken = (token) => sessionStorage.setItem(KEY, token);

/** What went wrong, in the server's words; `errors` holds one line each where there are several. */
export class Problem extends Error {
  constructor(status, body) {
    super((body && body.error) || `the studio answered ${status}`);
    this.status = status;
    this.errors = (body && body.errors) || [];
    this.body = body || {};
  }
}

async function request(path, options = {}) {
  let answer;
  try {
    answer = await fetch(`/api/${path}`, {
      ...options,
      headers: { ...options.headers, authorization: `Bearer ${sessionStorage.getItem(KEY) || ""}` },
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, { error: "the studio does not answer; is it still running?" });
  }
  if (answer.ok) return answer;
  let body = null;
  try { body = await answer.json(); } catch { /* no words */ }
  if (answer.status === 401) dispatchEvent(new Event("studio-locked"));
  throw new Problem(answer.status, body);
}

export const get = async (path, options) => (await request(path, options)).json();

export const post = async (path, body = {}) => (await request(path, {
  method: "POST", body: JSON.stringify(body), headers: { "content-type": "application/json" },
})).json();

/** A picture of the evidence as an address the page may show. */
export const picture = async (path) => URL.createObjectURL(await (await request(path)).blob());

/** A file to be kept, saved by the browser. */
export async function download(path, name) {
  const address = await picture(path);
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 60000);
}

export const text = async (path) => (await request(path)).text();

export const productPath = (name, rest = "") => `products/${encodeURIComponent(name)}${rest}`;

export const evidencePath = (name, step, file) =>
  productPath(name, `/evidence/${encodeURIComponent(step)}/${encodeURIComponent(file)}`);

/**
 * Server-sent events with a header (EventSource can send none): goes on after a broken line where it stood. A tab that
 * nobody sees lets its line go after a while: a browser has six for one server, and more tabs than that are opened.
 */
export class EventStream {
  constructor(path, last, hear) {
    this.path = path;
    this.last = last;
    this.hear = hear;
    this.open = true;
    this.stopper = new AbortController();
    this.seen = () => {
      clearTimeout(this.timer);
      if (document.hidden) this.timer = setTimeout(() => this.stopper.abort(), UNSEEN);
      else if (this.wake) this.wake();
    };
    document.addEventListener("visibilitychange", this.seen);
    this.run();
  }

  close() {
    this.open = false;
    document.removeEventListener("visibilitychange", this.seen);
    clearTimeout(this.timer);
    this.stopper.abort();
    if (this.wake) this.wake();
  }

  async run() {
    while (this.open) {
      this.stopper = new AbortController();
      try {
        const answer = await request(`${this.path}?from=${this.last}`, { signal: this.stopper.signal });
        this.hear("connected", {});
        await this.read(answer.body.getReader());
      } catch (error) {
        if (error.status === 404 && this.open) this.hear("gone", {});
        if (error.status === 401 || error.status === 404) return;
      }
      if (!this.open) return;
      if (this.stopper.signal.aborted && document.hidden) {
        await new Promise((done) => { this.wake = done; });
        this.wake = null;
        continue;
      }
      this.hear("lost", {});
      await new Promise((done) => setTimeout(done, 1000));
    }
  }

  async read(reader) {
    const decoder = new TextDecoder();
    let rest = "";
    while (this.open) {
      const { value, done } = await reader.read();
      if (done) return;
      const parts = (rest + decoder.decode(value, { stream: true })).split("\n\n");
      rest = parts.pop();
      for (const part of parts) this.message(part);
    }
  }

  message(part) {
    const found = {};
    for (const line of part.split("\n")) {
      const colon = line.indexOf(": ");
      if (colon > 0) found[line.slice(0, colon)] = line.slice(colon + 2);
    }
    if (found.id) this.last = Number(found.id);
    if (found.event) this.hear(found.event, JSON.parse(found.data), Number(found.id || 0));
  }
}
