// The panels beside the dialogue: the ladder, the streams, and what was spent.

import { evidencePath, text } from "./api.js";
import { duration, h, number, replace, safely } from "./dom.js";
import { avatar, rungPictures } from "./item.js";

const MARKS = { passed: "passed", failed: "failed", skipped: "does not apply", unverified: "not checked" };

function evidence(view, step, rung) {
  const names = (rung.evidence || []).filter((one) => !one.endsWith(".png"));
  return names.map((name) => {
    const pre = h("pre", {}, "Loading …");
    return h("details", { class: "evidence", on: { toggle: async (event) => {
      if (!event.target.open || pre.dataset.there) return;
      pre.dataset.there = "1";
      try { pre.textContent = (await text(evidencePath(view.name, step, name))) || "(empty)"; }
      catch (error) { pre.textContent = error.message; }
    } } }, h("summary", {}, h("code", {}, name)), pre);
  });
}

/** What running the product proved, rung by rung. Drawn anew only when it changed: evidence stays open. */
export class Ladder {
  constructor(view) {
    this.view = view;
    this.element = h("div", { class: "ladder" });
    this.drawn = "";
  }

  update(state) {
    const now = JSON.stringify([state.rungs, state.ladder_step, state.verdict]);
    if (now === this.drawn) return;
    this.drawn = now;
    if (!state.rungs.length) {
      replace(this.element, h("p", { class: "quiet" }, "Nothing has been run yet."));
      return;
    }
    replace(this.element, h("p", { class: "quiet" }, "The checks of ", h("code", {}, state.ladder_step)),
      h("ol", { class: "rungs" }, state.rungs.map((rung) => safely(() => h("li", { data: { state: rung.state } },
        h("p", {}, h("b", {}, rung.name), " ", h("span", { class: "state" }, MARKS[rung.state] || rung.state),
          h("small", {}, ` ${duration(rung.seconds)}`)),
        h("p", {}, rung.summary), rungPictures(this.view.name, state.ladder_step, rung),
        rung.details && rung.details !== rung.summary && rung.state !== "passed" && h("pre", {}, rung.details),
        evidence(this.view, state.ladder_step, rung))))));
  }
}

const megabytes = (bytes) => (bytes ? `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB` : "");

function bar(held, total) {
  const share = total ? Math.min(1, held / total) : 1;
  const made = h("div", { class: "window-bar", role: "img",
    "aria-label": `${number(held)} of ${number(total)} tokens are in the window, ${number(total - held)} evicted` }, h("span", {}));
  made.firstChild.style.width = `${Math.max(1, share * 100)}%`;
  return made;
}

/** Each agent's stream: what the window holds, what fell out of it, how much memory that takes. */
export function streams(state, view) {
  const names = Object.keys(state.windows);
  if (!names.length) return h("p", { class: "quiet" }, "Nobody has spoken yet.");
  return h("ul", { class: "streams" }, names.map((name) => {
    const { held, total, bytes, tokens_per_second: speed, notes, model } = state.windows[name];
    const facts = [["in the window", number(held)], ["evicted", number(total - held)], ["all in all", number(total)],
      ["memory", megabytes(bytes)], ["speed", speed ? `${speed.toFixed(0)} tok/s` : ""], ...Object.entries(notes || {})];
    return h("li", {}, h("p", {}, avatar(name, view.title(name)), h("b", {}, view.title(name)), h("small", {}, ` ${model}`)),
      bar(held, total),
      h("dl", {}, facts.filter(([, value]) => value !== "").map(([key, value]) => h("div", {}, h("dt", {}, key), h("dd", {}, value)))));
  }));
}

function account(name, row) {
  return h("tr", {}, h("th", { scope: "row" }, name), h("td", {}, number(row.replies)), h("td", {}, number(row.prompt_tokens)),
    h("td", {}, number(row.completion_tokens)), h("td", {}, row.money === null ? "unknown" : `$${row.money.toFixed(4)}`));
}

function table(caption, rows) {
  return h("table", {}, h("caption", {}, caption),
    h("thead", {}, h("tr", {}, ["", "replies", "read", "written", "money"].map((one) => h("th", { scope: "col" }, one)))),
    h("tbody", {}, rows));
}

/** Tokens and money: all in all, by role, by phase. */
export function costs(state, view) {
  const rows = (accounts, title) => Object.entries(accounts).map(([name, row]) => account(title(name), row));
  return [
    h("dl", { class: "sums" }, [["tokens", number(state.total.tokens)], ["money", state.money_text],
      ["time", duration(state.seconds)], ["commits", number(state.commits)]].map(([key, value]) =>
      h("div", {}, h("dt", {}, key), h("dd", {}, value)))),
    table("By role", rows(state.by_role, (name) => view.title(name))),
    table("By phase", rows(state.by_phase, (name) => name)),
  ];
}
