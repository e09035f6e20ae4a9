// What a screen reader is told of a run: who replied, which step began, that you are asked. Never the words themselves,
// and one line every few seconds at most, whatever happens in between.

import { h } from "./dom.js";

const EVERY = 3000;

export class Announcer {
  constructor(view) {
    this.view = view;
    this.element = h("div", { class: "unseen", role: "status", "aria-live": "polite" });
    this.waiting = [];
    this.timer = 0;
  }

  hear(item) {
    const title = (role) => this.view.title(role);
    const text = {
      step_started: () => `${item.title} begins`, said: () => `${title(item.agent)} has replied`,
      checked: () => `The checks: ${item.report.verdict}`, asked: () => `You are asked: ${item.title || item.step}`,
      stopped: () => "The run has stopped", run_ended: () => `The run has ended: ${item.verdict}`,
    }[item.kind];
    if (!text) return;
    try { this.waiting.push(text()); } catch { return; } // a damaged event
    if (!this.timer) this.say();
  }

  say() {
    if (!this.waiting.length) { this.timer = 0; return; }
    // Of many, the newest three are news.
    this.element.textContent = `${this.waiting.slice(-3).join(". ")}.`;
    this.waiting = [];
    this.timer = setTimeout(() => this.say(), EVERY);
  }
}
