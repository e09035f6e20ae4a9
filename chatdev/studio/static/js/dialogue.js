// The dialogue: a list that holds a few hundred items at most, whatever the length of the run. Earlier and later ones
// are fetched when they come near; the newest end is followed while it is in sight.

import { Announcer } from "./announce.js";
import { get, productPath } from "./api.js";
import { button, h } from "./dom.js";
import { itemElement, Typing } from "./item.js";

const MOST = 360;
const NEAR = 600;

export class Dialogue {
  constructor(view) {
    this.view = view;
    this.items = [];
    this.earlier = false;
    this.atEnd = true;
    this.typing = new Map();
    this.list = h("ol", { class: "items", role: "log", "aria-live": "off", "aria-label": "The dialogue" });
    this.live = h("ol", { class: "items", "aria-live": "off", "aria-label": "Being written" });
    this.newest = button("Newest ↓", () => this.toEnd(), { class: "newest", hidden: true });
    this.scroller = h("div", { class: "scroller", tabindex: "0", role: "region", "aria-label": "Dialogue" },
      this.list, this.live);
    this.announcer = new Announcer(view);
    this.element = h("div", { class: "dialogue" }, this.scroller, this.newest, this.announcer.element);
    this.scroller.addEventListener("scroll", () => this.scrolled(), { passive: true });
    this.newest.addEventListener("blur", () => this.scrolled());
    // Pictures that arrive late must not push the newest words out of sight.
    this.followed = true;
    this.top = 0;
    const resized = new ResizeObserver(() => { if (this.followed && this.atEnd) this.bottom(); });
    for (const one of [this.list, this.live, this.scroller]) resized.observe(one);
  }

  /** Show a page of items, the newest at its end unless `atEnd` is false. */
  show(items, earlier, atEnd = true) {
    this.items = [];
    this.list.replaceChildren();
    this.live.replaceChildren();
    this.typing.clear();
    this.earlier = earlier;
    this.atEnd = atEnd;
    this.put(items);
    this.bottom();
    requestAnimationFrame(() => this.scrolled());
  }

  /** An event has come. */
  add(item) {
    if (item.agent && item.kind === "said") this.quiet(item.agent);
    if (item.unsaid) [...this.typing.keys()].forEach((agent) => this.quiet(agent));
    this.announcer.hear(item);
    if (!this.atEnd) { this.offerNewest(true); return; }
    const follow = this.following();
    this.put([item]);
    if (follow) { this.trimStart(); this.bottom(); } else this.offerNewest(true);
  }

  words(agent, text) {
    const follow = this.following();
    if (!this.typing.has(agent)) {
      const box = new Typing(agent, this.view.title(agent));
      this.typing.set(agent, box);
      this.live.append(box.element);
    }
    this.typing.get(agent).add(text);
    if (follow) this.bottom();
  }

  quiet(agent) {
    const box = this.typing.get(agent);
    if (box) box.element.remove();
    this.typing.delete(agent);
  }

  /** Nobody is at work any more: what is half written stays so. */
  breakOff() {
    this.typing.forEach((box) => box.stop());
  }

  put(items, first = false) {
    const known = new Set(this.items.map((one) => one.id));
    const fresh = items.filter((one) => !known.has(one.id));
    const made = fresh.map((one) => itemElement(one, this.view));
    if (first) { this.items.unshift(...fresh); this.list.prepend(...made); }
    else { this.items.push(...fresh); this.list.append(...made); }
  }

  /** Whoever stands on the button with the keyboard keeps it until they go on: hidden, it would take their place along. */
  offerNewest(wanted) {
    this.newest.hidden = !wanted && document.activeElement !== this.newest;
  }

  following() {
    const { scrollTop, scrollHeight, clientHeight } = this.scroller;
    return this.atEnd && scrollHeight - scrollTop - clientHeight < 80;
  }

  bottom() {
    this.followed = true;
    this.scroller.scrollTop = this.scroller.scrollHeight;
    this.top = this.scroller.scrollTop;
    this.offerNewest(!this.atEnd);
  }

  trimStart() {
    while (this.items.length > MOST) { this.items.shift(); this.list.firstChild.remove(); this.earlier = true; }
  }

  trimEnd() {
    while (this.items.length > MOST) { this.items.pop(); this.list.lastChild.remove(); this.atEnd = false; }
  }

  async scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = this.scroller;
    // Only a person scrolls up. What grew below (a picture that came late) is not that.
    this.followed = this.following() || (this.followed && scrollTop >= this.top - 2);
    this.top = scrollTop;
    this.offerNewest(!(this.followed && this.atEnd));
    if (this.loading) return;
    if (this.earlier && scrollTop < NEAR) await this.load("before");
    else if (!this.atEnd && !this.view.past && scrollHeight - scrollTop - clientHeight < NEAR) await this.load("after");
  }

  async load(side) {
    this.loading = true;
    const edge = side === "before" ? this.items[0] : this.items[this.items.length - 1];
    try {
      const page = await get(productPath(this.view.name, `/items?${side}=${edge.id}`));
      if (side === "before") {
        const height = this.scroller.scrollHeight, top = this.scroller.scrollTop;
        this.put(page.items, true);
        this.earlier = page.earlier;
        this.scroller.scrollTop = top + this.scroller.scrollHeight - height;
        this.trimEnd();
      } else {
        this.put(page.items);
        if (!page.items.length) this.atEnd = true;
        const height = this.scroller.scrollHeight, top = this.scroller.scrollTop;
        this.trimStart();
        this.scroller.scrollTop = top - (height - this.scroller.scrollHeight);
      }
    } finally {
      this.loading = false;
    }
  }

  async toEnd() {
    this.scroller.focus({ preventScroll: true });
    if (!this.atEnd) {
      const page = await get(productPath(this.view.name, "/items"));
      const typing = [...this.typing.values()];
      this.show(page.items, page.earlier);
      typing.forEach((box) => this.live.append(box.element));
    }
    this.bottom();
  }

  /** Bring the newest visit of a step into sight. */
  async goTo(node) {
    const { steps } = await get(productPath(this.view.name, "/steps"));
    const plain = (path) => path.split(".").filter((part) => !/^\d+$/.test(part)).map((part) => part.replace(/~\d+$/, "")).join(".");
    const found = steps.filter((one) => plain(one.path) === node && one.id <= this.view.state.last_id).pop();
    if (found) await this.jump(found.id);
    return Boolean(found);
  }

  /** Bring one event into sight, wherever in the run it stands. */
  async jump(id, focus = true) {
    if (!this.find(id)) {
      const page = await get(productPath(this.view.name, `/items?before=${id + 1}`));
      const typing = [...this.typing.entries()];
      this.show(page.items, page.earlier, false);
      for (const [agent, box] of typing) { this.typing.set(agent, box); this.live.append(box.element); }
      const later = await get(productPath(this.view.name, `/items?after=${id}`));
      if (this.view.past) later.items = later.items.filter((one) => one.id <= this.view.state.last_id);
      this.put(later.items);
    }
    const item = this.find(id);
    if (!item) return;
    this.followed = false;
    // Not scrollIntoView: it would move everything around the dialogue as well.
    this.scroller.scrollTop += item.getBoundingClientRect().top - this.scroller.getBoundingClientRect().top - 12;
    this.top = this.scroller.scrollTop;
    if (focus) (item.querySelector("h3") || item).focus({ preventScroll: true });
  }

  find(id) {
    return this.list.querySelector(`[data-id="${Number(id)}"]`);
  }
}
