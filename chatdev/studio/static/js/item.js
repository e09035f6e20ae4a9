// One event of a run as the page lists it. The texts in `.line` are the terminal's own lines, word for word.

import { evidencePath, picture } from "./api.js";
import { button, h, safely, visible } from "./dom.js";

const COLOURS = 8;
const LONGEST = 20000;

/** A colour that stays with a role. */
export function hue(role) {
  let sum = 0;
  for (const letter of String(role)) sum = (sum * 31 + letter.charCodeAt(0)) >>> 0;
  return sum % COLOURS;
}

export function avatar(role, title) {
  const letters = (title || role || "?").split(/[\s_]+/).map((word) => word[0]).join("").slice(0, 3).toUpperCase();
  return h("span", { class: "avatar", "aria-hidden": "true", data: { hue: hue(role) } }, letters);
}

/** The parts of a reply as `[name, text]`, prose with the name null. One pass: an endless or hostile reply costs no more. */
export function parts(text) {
  const found = [];
  let prose = [], block = null;
  const lines = text.split("\n").map((line, at, all) => (at < all.length - 1 ? `${line}\n` : line));
  const flush = () => { if (prose.length) found.push([null, prose.join("")]); prose = []; };
  for (const line of lines) {
    const bare = line.trimEnd();
    const file = line.length < 2000 && /^\s*<file path="([^"\n]*)">/.exec(line);
    if (block && file && !block.file) { // a fence that was never closed
      for (const one of block.lines) prose.push(one);
      block = null;
    }
    if (block) {
      block.lines.push(line);
      if (block.file ? bare.endsWith("</file>") : bare === "```") {
        found.push([block.name, block.lines.join("")]);
        block = null;
      }
      continue;
    }
    const fence = !file && line.startsWith("```") && line.length < 200 && /^```(\S*)/.exec(bare);
    if (!file && !fence) { prose.push(line); continue; }
    flush();
    block = { file: Boolean(file), name: (file ? file[1] : fence[1]) || "code", lines: [line] };
    if (file && bare.endsWith("</file>")) { found.push([block.name, line]); block = null; }
  }
  if (block) for (const one of block.lines) prose.push(one); // never closed: it is no file
  flush();
  return found;
}

function prose(text) {
  if (text.length <= LONGEST) return h("span", { class: "prose" }, text);
  const rest = h("span", { class: "prose", hidden: true }, text.slice(LONGEST));
  const more = button(`Show all ${text.length.toLocaleString("en")} characters`, () => { rest.hidden = false; more.remove(); }, { class: "small" });
  return [h("span", { class: "prose" }, text.slice(0, LONGEST)), rest, more];
}

/** A reply: prose as it is, files folded away under their names. Nothing is left out. */
export function words(text) {
  return h("div", { class: "words" }, parts(String(text)).map(([name, part]) => {
    if (name === null && !part.trim()) return h("span", { class: "gap" }, part);
    if (name === null) {
      // Empty lines beside a folded file are there, and take no room.
      const start = part.length - part.trimStart().length;
      const head = part.slice(0, part.lastIndexOf("\n", start - 1) + 1), tail = part.length - part.trimEnd().length;
      const middle = part.slice(head.length, part.length - tail);
      return [head && h("span", { class: "gap" }, head), prose(middle),
        tail > 0 && h("span", { class: "gap" }, part.slice(part.length - tail))];
    }
    const lines = part.trimEnd().split("\n").length - 2;
    return h("details", { class: "block" },
      h("summary", {}, h("code", {}, visible(name)), h("small", {}, ` ${Math.max(1, lines)} lines`)), h("pre", { class: "code" }, part));
  }));
}

const lineOf = (item, number = 0) => item.lines[number] || "";

/** `Name: the rest` with the name made strong; the text stays the same. */
function named(line, tag = "p", more = {}) {
  const colon = line.indexOf(": ");
  return h(tag, { class: "line", ...more },
    colon < 0 ? line : [h("b", {}, line.slice(0, colon)), h("span", { class: "rest" }, line.slice(colon))]);
}

function step(item) {
  const who = item.lines[0].split("]   ")[1];
  return h("h3", { class: "line step-head", tabindex: "-1" },
    h("span", {}, item.title), " ", h("code", {}, `[${item.step}]`), who && h("small", {}, ` ${who}`));
}

function said(item, view) {
  const title = view.title(item.agent);
  return h("div", { class: "said" }, avatar(item.agent, title),
    h("div", { class: "bubble" }, named(lineOf(item), "header"), words(item.text)));
}

function told(item, view) {
  return h("details", { class: "told" },
    h("summary", {}, `${view.title(item.by)} → ${view.title(item.agent)}`), words(item.text));
}

function committed(item, view) {
  return h("p", { class: "event" }, h("span", { class: "mark commit", "aria-hidden": "true" }, "◆"),
    button(lineOf(item), () => view.showCommit(item.sha), { class: "link line", "aria-label": `Show ${lineOf(item)}` }));
}

export function rungPictures(name, folder, rung) {
  const names = (rung.evidence || []).filter((one) => /^screen-[1-9].*\.png$/.test(one));
  return h("div", { class: "pictures" }, names.map((one) => {
    const frame = h("figure", {}, h("figcaption", {}, one.replace(/^screen-\d-|\.png$/g, "").replaceAll("-", " ")));
    picture(evidencePath(name, folder, one))
      .then((address) => frame.prepend(h("a", { href: address, target: "_blank", rel: "noopener" },
        h("img", { src: address, alt: `The window: ${one}`, loading: "lazy" }))))
      .catch(() => frame.remove());
    return frame;
  }));
}

function rung(item, view) {
  return [named(lineOf(item), "p", { class: "line event rung", "data-state": item.rung.state }),
    item.rung.name === "window" && rungPictures(view.name, item.step, item.rung)];
}

function artifact(item) {
  const shown = item.lines.length ? named(lineOf(item), "span") : h("span", {}, h("b", {}, item.name));
  return h("details", { class: "event artifact" }, h("summary", {}, shown), h("pre", {}, item.text || "(empty)"));
}

function person(item, view) {
  const heads = {
    asked: `You are asked: ${item.title || item.step || ""}`,
    answered: `You answered: ${item.answer}`,
    message: `You to ${item.to === "all" ? "all" : view.title(item.to)}`,
  };
  return h("div", { class: "said you" }, avatar("human", "You"),
    h("div", { class: "bubble" }, item.lines.map((line) => h("p", { class: "line" }, line)),
      !item.lines.length && h("header", {}, h("b", {}, heads[item.kind])), item.kind !== "asked" && item.text && words(item.text)));
}

function end(item) {
  const text = item.kind === "run_ended" ? `The chain is through: ${item.verdict}` : `Stopped: ${item.reason}`;
  return h("p", { class: "event end", data: { state: item.verdict || "stopped" } }, text);
}

function life(item) {
  return h("p", { class: "event quiet" }, item.resumed ? "The run goes on." : "The run begins.",
    ` Process ${item.pid}, version ${item.version}.`);
}

function started(item) {
  return h("div", { class: "said you" }, avatar("human", "You"),
    h("div", { class: "bubble" }, h("header", {}, h("b", {}, "The task")), words(item.task || "")));
}

const MAKERS = {
  step_started: step, said, told, committed, rung, artifact, life,
  asked: person, answered: person, message: person, stopped: end, run_ended: end, run_started: started,
};

const plain = (item) => item.lines.map((line) =>
  named(line, "p", { class: "line event", "data-kind": item.kind,
    "data-state": item.report ? item.report.verdict : null }));

/** The element of one item. */
export function itemElement(item, view) {
  const broken = [item.unsaid || []].flat().map((one) => h("div", { class: "said broken" },
    avatar(one.agent, view.title(one.agent)), h("div", { class: "bubble" },
      h("header", {}, h("b", {}, view.title(one.agent)), h("span", { class: "rest" }, ": broken off")), words(one.text))));
  const known = Object.hasOwn(MAKERS, item.kind) && !(item.kind === "committed" && !item.sha);
  const make = known ? MAKERS[item.kind] : plain;
  const at = new Date(item.at * 1000);
  return h("li", { class: `item kind-${item.kind}`, title: at.toLocaleTimeString("en"), tabindex: "-1",
    data: { id: item.id, step: item.kind === "step_started" ? item.step : "" } }, broken, safely(() => make(item, view)));
}

/** The box in which a reply is typed. */
export class Typing {
  constructor(agent, title) {
    this.line = this.inside = "";
    this.text = null;
    this.words = h("div", { class: "words" });
    this.state = h("span", { class: "rest" }, " is writing …");
    this.element = h("li", { class: "item typing" }, h("div", { class: "said" }, avatar(agent, title),
      h("div", { class: "bubble" }, h("header", {}, h("b", {}, title), this.state), this.words)));
  }

  /** Source is set in the type of source while it is written. Only the newest line is looked at, however long the reply. */
  add(words) {
    for (const piece of words.split(/(?<=\n)/)) {
      this.line = (this.line + piece).slice(0, 2000);
      const kind = this.inside || /^\s*<file |^```/.test(this.line) ? "prose mono" : "prose";
      if (!this.text || this.text.className !== kind) this.words.append(this.text = h("span", { class: kind }));
      this.text.append(document.createTextNode(piece));
      if (piece.endsWith("\n")) { this.ended(this.line); this.line = ""; }
    }
  }

  ended(line) {
    if (!this.inside) this.inside = /^\s*<file path="/.test(line) ? "file" : line.startsWith("```") ? "fence" : "";
    else if (this.inside === "file" ? line.includes("</file>") : line.trimEnd() === "```") this.inside = "";
  }

  /** Nobody goes on writing. */
  stop() {
    this.element.classList.add("stopped");
    this.state.textContent = ": broken off; Resume goes on";
  }
}
