// The products of the warehouse.

import { evidencePath, get, picture } from "./api.js";
import { ago, h, number, replace } from "./dom.js";

const EVERY = 3000;
const MARKS = { verified: "Verified", failed: "Failed", unverified: "Not verified" };

export function chip(row) {
  const state = row.state === "finished" ? row.verdict : row.state;
  return h("span", { class: "chip", data: { state: state.replace(" ", "-") } }, MARKS[state] || state);
}

function card(row, chosen, choose) {
  const box = h("input", {
    type: "checkbox", checked: chosen.has(row.name), "aria-label": `Choose ${row.name} to compare`,
    on: { change: (event) => choose(row.name, event.target.checked) },
  });
  const frame = h("div", { class: "thumb", "aria-hidden": "true" });
  if (row.picture) {
    picture(evidencePath(row.name, ...row.picture))
      .then((address) => replace(frame, h("img", { src: address, alt: "" })))
      .catch(() => {});
  }
  const spent = row.tokens === null || row.tokens === undefined ? "" : `${number(row.tokens)} tokens`;
  return h("li", { class: "card", data: { product: row.name } },
    frame,
    h("div", { class: "card-text" },
      h("h2", {}, h("a", { href: `#/run/${encodeURIComponent(row.name)}` }, row.task || row.name)),
      h("p", { class: "quiet" }, chip(row), " ", row.company, spent && ` · ${spent}`, ` · ${ago(row.changed)}`),
      h("p", { class: "card-foot" }, h("code", {}, row.name), h("label", { class: "choose" }, box, " compare"))));
}

export async function homePage(place) {
  const chosen = new Set();
  const list = h("ul", { class: "cards" });
  const beside = h("a", { class: "button", hidden: true }, "Look at both side by side");
  let shown = "";

  const choose = (name, yes) => {
    if (yes) chosen.add(name); else chosen.delete(name);
    beside.hidden = chosen.size !== 2;
    beside.href = `#/beside/${[...chosen].map(encodeURIComponent).join("/")}`;
  };

  const draw = async () => {
    const { products, warehouse } = await get("products");
    const now = JSON.stringify(products);
    if (now === shown) return;
    shown = now;
    if (!products.length) {
      replace(list, h("li", { class: "empty" }, h("p", {}, `Nothing has been built in ${warehouse} yet.`),
        h("a", { class: "button primary", href: "#/new" }, "Build something")));
      return;
    }
    replace(list, products.map((row) => card(row, chosen, choose)));
  };

  await draw();
  replace(place, h("div", { class: "head" }, h("h1", {}, "Products"), beside), list);
  document.title = "Products · ChatDev studio";
  const timer = setInterval(() => draw().catch(() => {}), EVERY);
  return () => clearInterval(timer);
}
