// One event of a run as the page lists it. The texts in `.line` are the terminal's own lines, word for word.

import { evidencePath, picture } from "./api.js";
import { button, h } from "./dom.js";

const COLOURS = 8;
const BLOCK = /(<file path="[^"\n]*">\n?[\s\S]*?<\/file>|^```[^\n]*\n[\s\S]*?^```$)/gm;

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

/** A reply: prose as it is, files folded away under their names. Nothing is left out. */
export function words(text) {
  return h("div", { class: "words" }, text.split(BLOCK).filter(Boolean).map((part) => {
    const file = /^<file path="([^"\n]*)">/.exec(part);
    const fence = /^```(\S*)/.exec(part);
    if (!file && !fence) {
      // Empty lines beside a folded file are there, and take no room.
      const [, before, middle, after] = /^(\n*)([\s\S]*?)(\n*)$/.exec(part);
      return [before && h("span", { class: "gap" }, before), middle && h("span", { class: "prose" }, middle),
        after && h("span", { class: "gap" }, after)];
    }
    const lines = part.split("\n").length - 2;
    const name = file ? file[1] : fence[1] || "code";
    return h("details", { class: "block" },
      h("summary", {}, h("code", {}, name), h("small", {}, ` ${lines} lines`)), h("pre", { class: "code" }, part));
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
  const broken = (item.unsaid || []).map((one) => h("div", { class: "said broken" },
    avatar(one.agent, view.title(one.agent)), h("div", { class: "bubble" },
      h("header", {}, h("b", {}, view.title(one.agent)), h("span", { class: "rest" }, ": broken off")), words(one.text))));
  const make = item.kind === "committed" && !item.sha ? plain : MAKERS[item.kind] || plain;
  const at = new Date(item.at * 1000);
  return h("li", { class: `item kind-${item.kind}`, title: at.toLocaleTimeString("en"),
    data: { id: item.id, step: item.kind === "step_started" ? item.step : "" } }, broken, make(item, view));
}

/** The box in which a reply is typed. */
export class Typing {
  constructor(agent, title) {
    this.all = "";
    this.text = null;
    this.words = h("div", { class: "words" });
    this.element = h("li", { class: "item typing" }, h("div", { class: "said" }, avatar(agent, title),
      h("div", { class: "bubble" }, h("header", {}, h("b", {}, title), h("span", { class: "rest" }, " is writing …")),
        this.words)));
  }

  /** Source is set in the type of source while it is written. */
  add(words) {
    this.all += words;
    const inside = this.all.lastIndexOf("<file ") > this.all.lastIndexOf("</file>") || (this.all.split("\n```").length % 2 === 0);
    const kind = inside ? "prose mono" : "prose";
    if (!this.text || this.text.className !== kind) this.words.append(this.text = h("span", { class: kind }));
    this.text.append(document.createTextNode(words));
  }
}

