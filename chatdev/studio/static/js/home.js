// The products of the warehouse.

import { evidencePath, get, picture } from "./api.js";
import { ago, h, number, replace, visible } from "./dom.js";

const EVERY = 3000;
const MANY = 7;
const MARKS = { verified: "Verified", failed: "Failed", unverified: "Not verified" };

export function chip(row) {
  const state = String(row.state === "finished" ? row.verdict : row.state);
  return h("span", { class: "chip", data: { state: state.replace(" ", "-") } }, MARKS[state] || state);
}

/** The card of a product; a picture, where a check took one, else how it stands. */
class Card {
  constructor(row, choose) {
    this.box = h("input", { type: "checkbox", "aria-label": `Choose ${visible(row.name)} to compare`, on: { change: (event) => choose(row.name, event.target.checked) } });
    this.frame = h("div", { class: "thumb", "aria-hidden": "true" });
    this.title = h("a", { href: `#/run/${encodeURIComponent(row.name)}` });
    this.facts = h("p", { class: "quiet" });
    this.element = h("li", { class: "card", data: { product: row.name } }, this.frame, h("div", { class: "card-text" },
      h("h2", {}, this.title), this.facts,
      h("p", { class: "card-foot" }, h("code", {}, visible(row.name)), h("label", { class: "choose" }, this.box, " compare"))));
  }

  update(row) {
    const spent = row.tokens === null || row.tokens === undefined ? "" : `${number(row.tokens)} tokens`;
    const now = JSON.stringify([row, ago(row.changed)]);
    if (now === this.drawn) return;
    this.drawn = now;
    this.title.textContent = row.task || visible(row.name);
    replace(this.facts, chip(row), " ", [row.company, spent, ago(row.changed)].filter(Boolean).join(" · "));
    const picture = row.picture ? row.picture.join("/") : "";
    if (!picture) replace(this.frame, h("span", {}, row.reason || { "at work": "being built", interrupted: "not finished" }[row.state] || "no picture"));
    else if (picture !== this.picture) this.show(row);
    this.picture = picture;
  }

  async show(row) {
    try {
      const address = await picture(evidencePath(row.name, ...row.picture));
      this.drop();
      this.address = address;
      replace(this.frame, h("img", { src: address, alt: "" }));
    } catch { /* it was there a moment ago */ }
  }

  /** A picture is kept by the browser until it is let go. */
  drop() {
    if (this.address) URL.revokeObjectURL(this.address);
  }
}

export async function homePage(place) {
  const chosen = new Set(), cards = new Map();
  const list = h("ul", { class: "cards" });
  const beside = h("a", { class: "button", hidden: true }, "Look at both side by side");
  const hint = h("span", { class: "quiet", hidden: true }, "Choose one more to compare");
  const filter = h("input", { type: "search", placeholder: "Find a product", "aria-label": "Find a product", hidden: true });
  const empty = h("div", { class: "empty", hidden: true });
  let rows = [];

  const choose = (name, yes) => {
    if (yes) chosen.add(name); else chosen.delete(name);
    beside.hidden = chosen.size !== 2;
    hint.hidden = chosen.size !== 1;
    beside.href = `#/beside/${[...chosen].map(encodeURIComponent).join("/")}`;
  };

  const arrange = () => {
    const wanted = filter.value.trim().toLowerCase();
    const fits = rows.filter((row) => `${row.task} ${row.name} ${row.company} ${row.state} ${row.verdict}`.toLowerCase().includes(wanted));
    const order = fits.map((row) => cards.get(row.name).element);
    // Only what moved is moved: whoever has a card in focus keeps it.
    order.forEach((element, at) => { if (list.children[at] !== element) list.insertBefore(element, list.children[at] || null); });
    while (list.children.length > order.length) list.lastChild.remove();
    empty.hidden = order.length > 0;
    if (rows.length && !order.length) replace(empty, h("p", {}, "No product fits."));
  };

  const draw = async () => {
    const { products, warehouse } = await get("products");
    rows = products;
    const names = new Set(rows.map((row) => row.name));
    for (const [name, card] of cards) if (!names.has(name)) { card.drop(); cards.delete(name); choose(name, false); }
    for (const row of rows) {
      if (!cards.has(row.name)) cards.set(row.name, new Card(row, choose));
      cards.get(row.name).update(row);
    }
    filter.hidden = rows.length < MANY;
    if (!rows.length && !empty.firstChild) {
      replace(empty, h("h2", {}, "Nothing has been built yet"),
        h("p", {}, "Say in a sentence what you want; a company of agents builds it, and you watch them here."),
        h("p", {}, h("a", { class: "button primary", href: "#/new" }, "Build something")),
        h("p", {}, h("small", {}, `To try it without any model, choose scripted:snake as the model. Products lie in ${warehouse}.`)));
    }
    arrange();
  };

  filter.addEventListener("input", arrange);
  await draw();
  replace(place, h("div", { class: "head" }, h("h1", {}, "Products"), h("div", { class: "tools" }, hint, beside, filter)), list, empty);
  document.title = "Products · ChatDev studio";
  const timer = setInterval(() => { if (!document.hidden) draw().catch(() => {}); }, EVERY);
  return () => { clearInterval(timer); cards.forEach((card) => card.drop()); };
}
