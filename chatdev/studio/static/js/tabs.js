// Tabs as the ARIA practices describe them: arrow keys move, one tab stop.

import { h, unique } from "./dom.js";

/** `panels` is a list of `[name, title, element]`; calls `chosen(name)`. */
export class Tabs {
  constructor(label, panels, chosen) {
    this.panels = new Map();
    this.chosen = chosen;
    this.list = h("div", { class: "tabs", role: "tablist", "aria-label": label });
    for (const [name, title, panel] of panels) {
      const id = unique("tab");
      const tab = h("button", { type: "button", role: "tab", id, data: { tab: name }, on: { click: () => this.choose(name) } }, title);
      panel.setAttribute("role", "tabpanel");
      panel.setAttribute("aria-labelledby", id);
      panel.id = panel.id || unique("panel");
      tab.setAttribute("aria-controls", panel.id);
      this.panels.set(name, { tab, panel });
      this.list.append(tab);
    }
    this.list.addEventListener("keydown", (event) => this.key(event));
  }

  choose(name) {
    for (const [other, { tab, panel }] of this.panels) {
      const on = other === name;
      tab.setAttribute("aria-selected", String(on));
      tab.tabIndex = on ? 0 : -1;
      panel.dataset.on = on ? "yes" : "no";
    }
    this.now = name;
    this.chosen(name);
  }

  key(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const there = [...this.panels.entries()].filter(([, { tab }]) => tab.offsetParent);
    const at = there.findIndex(([name]) => name === this.now);
    const [name, { tab }] = there[(at + step + there.length) % there.length];
    this.choose(name);
    tab.focus();
  }

  badge(name, yes) {
    this.panels.get(name).tab.classList.toggle("badge", yes);
  }
}
