// Replay: a slider over the moments of a run. Nothing is computed here; the server folds the journal up to the moment.

import { get, productPath } from "./api.js";
import { button, h } from "./dom.js";

const LONGEST = 1500, SHORTEST = 60;

export class Replay {
  constructor(view) {
    this.view = view;
    this.moments = [];
    this.slider = h("input", { type: "range", min: 0, max: 0, step: 1, "aria-label": "Moment of the run" });
    this.where = h("output", {}, "");
    this.speed = h("select", { "aria-label": "Speed" }, [1, 4, 16, 64].map((one) => h("option", { value: one, selected: one === 16 }, `${one}×`)));
    this.player = button("Play", () => this.toggle(), { class: "small primary" });
    this.element = h("div", { class: "replay", hidden: true }, this.player,
      button("‹", () => this.step(-1), { class: "small", "aria-label": "One moment back" }),
      button("›", () => this.step(1), { class: "small", "aria-label": "One moment on" }),
      this.slider, this.where, this.speed, button("Close replay", () => this.close(), { class: "small" }));
    this.element.addEventListener("keydown", (event) => { if (event.key === "Escape") this.close(); });
    this.slider.addEventListener("input", () => this.show());
  }

  async open() {
    const { moments } = await get(productPath(this.view.name, "/moments"));
    if (!moments.length) return;
    this.view.closeForm();
    this.moments = moments;
    this.slider.max = moments.length - 1;
    this.slider.value = moments.length - 1;
    this.element.hidden = false;
    this.slider.focus();
    await this.show();
  }

  async close() {
    this.pause();
    this.element.hidden = true;
    await this.view.live();
    const again = [...this.view.actions.children].find((one) => one.textContent === "Replay");
    if (again) again.focus();
  }

  get at() { return Number(this.slider.value); }

  step(by) {
    this.slider.value = this.at + by;
    this.show();
  }

  /** Show the chosen moment; while it is fetched, only the newest choice counts. */
  async show() {
    this.wanted = this.at;
    if (this.busy) return;
    this.busy = true;
    try {
      while (this.wanted !== null) {
        const chosen = this.wanted;
        this.wanted = null;
        const [id, at, step] = this.moments[chosen];
        const seconds = Math.round(at - this.moments[0][1]);
        const text = `${chosen + 1} of ${this.moments.length} · ${step || "start"} · ${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
        this.where.textContent = text;
        this.slider.setAttribute("aria-valuetext", text);
        await this.view.showPast(id);
      }
    } finally {
      this.busy = false;
    }
  }

  toggle() {
    if (this.playing) { this.pause(); return; }
    if (this.at >= this.moments.length - 1) this.slider.value = 0;
    this.playing = true;
    this.player.textContent = "Pause";
    this.play();
  }

  async play() {
    while (this.playing) {
      await this.show();
      if (this.at >= this.moments.length - 1) break;
      const wait = (this.moments[this.at + 1][1] - this.moments[this.at][1]) * 1000 / Number(this.speed.value);
      await new Promise((done) => setTimeout(done, Math.min(LONGEST, Math.max(SHORTEST, wait))));
      if (this.playing) this.slider.value = this.at + 1;
    }
    this.pause();
  }

  pause() {
    this.playing = false;
    this.player.textContent = "Play";
  }
}
