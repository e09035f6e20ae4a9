// The router: which page the part of the address behind # means.

import { setToken, takeToken } from "./api.js";
import { button, field, h, replace } from "./dom.js";
import { besidePage } from "./beside.js";
import { companiesPage, companyPage } from "./company.js";
import { homePage } from "./home.js";
import { newPage } from "./new.js";
import { runPage } from "./run.js";

const PAGES = [
  [/^#\/new$/, newPage],
  [/^#\/run\/([^/]+)$/, runPage],
  [/^#\/beside\/([^/]+)\/([^/]+)$/, besidePage],
  [/^#\/companies$/, companiesPage],
  [/^#\/company\/([^/]+)$/, companyPage],
  [/^#?\/?$/, homePage],
];

const main = document.getElementById("main");
let leave = null;
let shown = "";

async function go() {
  const address = location.hash.split("?")[0];
  if (leave && leave() === false) {
    history.replaceState(null, "", shown);
    return;
  }
  leave = null;
  shown = location.hash;
  for (const [pattern, page] of PAGES) {
    const found = pattern.exec(address);
    if (!found) continue;
    main.className = "";
    const here = replace(main).appendChild(h("div", { class: "page" }, h("p", { class: "quiet" }, "Loading …")));
    for (const link of document.querySelectorAll(".bar nav a")) {
      if (link.hash === (address || "#/")) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    try {
      const made = await page(here, ...found.slice(1).map(decodeURIComponent));
      // Somebody may have gone on while this page was loading.
      if (here.isConnected) leave = made || null;
      else if (made) made();
    } catch (error) {
      lost(here, error.message);
    }
    return;
  }
  lost(replace(main).appendChild(h("div", { class: "page" })), "There is no such page in the studio.");
}

function lost(place, why) {
  replace(place, h("h1", {}, "This page cannot be shown"), h("p", { class: "problem" }, why), h("p", {}, h("a", { href: "#/" }, "All products")));
}

function locked() {
  const entry = h("input", { type: "password", autocomplete: "off", spellcheck: "false" });
  const open = () => {
    const token = /token=([\w-]+)/.exec(entry.value) || [null, entry.value.trim()];
    setToken(token[1]);
    location.reload();
  };
  replace(main, h("div", { class: "page narrow" },
    h("h1", {}, "The studio is locked"),
    h("p", {}, "Open the address that the terminal printed when the studio started, or paste it here."),
    h("form", { on: { submit: (event) => { event.preventDefault(); open(); } } },
      field("Address or token", entry), button("Open", open, { class: "primary" }))));
}

document.querySelector(".skip").addEventListener("click", (event) => { event.preventDefault(); main.focus(); });
addEventListener("studio-locked", locked);
addEventListener("hashchange", () => {
  if (location.hash.startsWith("#token=")) { takeToken(); location.reload(); return; }
  go();
});
if (takeToken()) go();
else locked();
