// The chain as a picture, drawn from the company's YAML: phases and checks from top to bottom, loops as frames with
// the way back at their side.

import { s } from "./dom.js";

const WIDE = 250, HIGH = 44, GAP = 16, PAD = 12, HEAD = 24;
const WORDS = { on: "is on", done: "done", failed: "failed" };

/** Places every step; returns the height that was used. */
function place(steps, x, y, width, found) {
  for (const step of steps) {
    if (step.kind === "loop") {
      const top = y;
      const inside = place(step.do, x + PAD, y + HEAD, width - 2 * PAD - 8, found);
      const height = inside - top - GAP + PAD;
      found.unshift({ step, x, y: top, width, height });
      y = top + height + GAP;
    } else {
      found.push({ step, x, y, width, height: HIGH });
      y += HIGH + GAP;
    }
  }
  return y;
}

const short = (text, room) => (text.length > room ? `${text.slice(0, room - 1)}…` : text);

export class ChainPicture {
  /** `choose` is called with a step's id when somebody picks it. */
  constructor(chain, choose) {
    this.nodes = new Map();
    this.loops = new Map();
    const found = [];
    const steps = [...chain, { id: "final", kind: "check", title: "Verdict" }];
    const height = place(steps, 1, 1, WIDE - 2, found) - GAP + 2;
    this.element = s("svg", { class: "chain", viewBox: `0 0 ${WIDE} ${height}`, width: WIDE, height, role: "group",
      "aria-label": "The chain" });
    const lines = s("g", { class: "edges" });
    this.element.append(lines);
    for (const one of found) this.element.append(one.step.kind === "loop" ? this.loop(one) : this.node(one, choose));
    this.join(steps, found, lines);
  }

  node({ step, x, y, width, height }, choose) {
    const who = step.who ? `${step.who[0]} → ${step.who[1]}` : "no model";
    const title = s("text", { x: 34, y: 18, class: "node-title" }, short(step.title, 27));
    const small = s("text", { x: 34, y: 33, class: "node-who" },
      short(step.asks ? `${who} · asks you` : who, 34));
    const group = s("g", {
      class: `node ${step.kind}`, transform: `translate(${x} ${y})`, tabindex: choose ? "0" : null, role: choose ? "button" : "img",
      "aria-label": step.title,
    }, s("rect", { width, height, rx: 10 }), s("circle", { class: "dot", cx: 18, cy: height / 2, r: 5.5 }),
    s("path", { class: "tick", d: `M ${14.5} ${height / 2} l 2.6 2.7 l 4.6 -5.2` }), title, small,
    s("title", {}, step.titles ? `${step.title}: ${step.titles[0]} → ${step.titles[1]}` : step.title));
    if (choose) {
      group.addEventListener("click", () => choose(step.id));
      group.addEventListener("keydown", (event) => {
        if (event.key === "Enter" || event.key === " ") { event.preventDefault(); choose(step.id); }
      });
    }
    this.nodes.set(step.id, { group, title: step.title });
    return group;
  }

  loop({ step, x, y, width, height }) {
    const turns = s("text", { x: x + width - 12, y: y + 16, class: "loop-turns", "text-anchor": "end" }, `≤ ${step.times}`);
    const right = x + width - 10;
    this.loops.set(step.id, { turns, times: step.times });
    return s("g", { class: "loop" }, s("rect", { x, y, width, height, rx: 14 }),
      s("text", { x: x + 12, y: y + 16, class: "loop-name" }, short(`↻ ${step.title}${step.until && step.until.length < 17 ? ` until ${step.until}` : ""}`, 34)),
      s("path", { class: "back", d: `M ${right - 6} ${y + height - PAD - HIGH / 2} h 6 V ${y + HEAD + HIGH / 2} h -4 m 3 -3 l -4 3 l 4 3` }),
      turns, s("title", {}, `Loop ${step.title}: at most ${step.times} rounds${step.until ? `, until ${step.until}` : ""}`));
  }

  join(steps, found, lines) {
    const at = new Map(found.map((one) => [one.step.id, one]));
    const walk = (list) => list.forEach((step, number) => {
      const next = list[number + 1];
      if (next) {
        const from = at.get(step.id), to = at.get(next.id);
        lines.append(s("path", { d: `M 30 ${from.y + from.height} V ${to.y}` }));
      }
      if (step.do) walk(step.do);
    });
    walk(steps);
  }

  /** Bring the step that is on into sight when it changes; whoever scrolls in between is left alone. */
  follow(id, group) {
    const place = this.element.parentElement;
    if (this.followed === id || !place) return;
    this.followed = id;
    const box = group.getBoundingClientRect(), frame = place.getBoundingClientRect();
    if (box.top < frame.top || box.bottom > frame.bottom) place.scrollTop += box.top - frame.top - frame.height / 2;
  }

  /** Mark what is on, done and failed, and the rounds of loops. */
  update(state) {
    for (const [id, { group, title }] of this.nodes) {
      const now = state.nodes[id] || "";
      const on = now === "on" && state.state !== "finished";
      group.dataset.state = on && !state.at_work && !state.past ? "paused" : now;
      group.setAttribute("aria-label", `${title}${now ? `, ${WORDS[now]}` : ""}`);
      if (on) { group.setAttribute("aria-current", "step"); this.follow(id, group); }
      else group.removeAttribute("aria-current");
    }
    for (const [id, { turns, times }] of this.loops) {
      turns.textContent = state.rounds[id] ? `${state.rounds[id]} of ${times}` : `≤ ${times}`;
    }
  }
}
