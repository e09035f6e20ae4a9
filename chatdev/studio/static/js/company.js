// Companies: the chain drawn from the YAML, roles and prompts to be read, files to be edited.

import { get, post } from "./api.js";
import { ChainPicture } from "./chain.js";
import { button, field, h, replace, toast } from "./dom.js";
import { Editor } from "./editor.js";
import { avatar } from "./item.js";
import { Tabs } from "./tabs.js";

const path = (id, rest = "") => `companies/${encodeURIComponent(id)}${rest}`;

export async function companiesPage(place) {
  const { companies } = await get("companies");
  replace(place, h("div", { class: "head" }, h("h1", {}, "Companies")),
    h("p", { class: "quiet" }, "Which roles talk in which order. A company is YAML; a copy in a folder of your own is yours to change."),
    h("ul", { class: "cards" }, companies.map((one) => h("li", { class: "card" }, h("div", { class: "card-text" },
      h("h2", {}, h("a", { href: `#/company/${encodeURIComponent(one.id)}` }, one.name)),
      h("p", { class: "quiet" }, one.description || (one.errors ? "" : "No description.")),
      h("p", { class: "card-foot" }, one.errors ? h("span", { class: "chip", data: { state: "failed" } }, `${one.errors} errors`)
        : h("small", {}, `${one.roles} roles · ${one.steps.length} steps`),
      h("span", { class: "chip" }, one.own ? "yours" : "shipped")))))));
  document.title = "Companies · ChatDev studio";
}

function prompt(text) {
  return h("pre", { class: "prompt" }, text.trim());
}

function roleCard(role) {
  return h("li", {}, h("p", {}, avatar(role.name, role.title), h("b", {}, role.title), h("code", {}, ` ${role.name}`),
    role.model && h("small", {}, ` ${role.model}`)), prompt(role.prompt));
}

function phaseCard(phase, titles) {
  const facts = [["reads", (phase.reads || []).join(", ")], ["writes", (phase.writes || []).join(", ")],
    ["turns", phase.turns], ["conclusion", phase.conclusion], ["done when", phase.done_when], ["choices", (phase.choices || []).join(", ")]];
  return h("li", { id: `phase-${phase.name}`, tabindex: "-1" },
    h("p", {}, h("b", {}, phase.title), h("code", {}, ` ${phase.name}`),
      h("small", {}, ` ${titles[phase.instructor] || phase.instructor} → ${titles[phase.assistant] || phase.assistant}`)),
    h("dl", {}, facts.filter(([, value]) => value).map(([key, value]) => h("div", {}, h("dt", {}, key), h("dd", {}, value)))),
    prompt(phase.prompt), phase.instructor_prompt && prompt(phase.instructor_prompt));
}

export async function companyPage(place, id) {
  const company = await get(path(id));
  const chainPlace = h("div", { class: "chain-place" });
  const roles = h("ul", { class: "prompts" }), phases = h("ul", { class: "prompts" });
  const headline = h("h1", {}, company.name || id), about = h("p", { class: "quiet" });

  const draw = (found) => {
    if (found.errors.length) {
      if (!chainPlace.firstChild) replace(chainPlace, h("p", { class: "quiet" }, "The chain is drawn once the errors are mended."));
      chainPlace.classList.add("stale");
      return;
    }
    chainPlace.classList.remove("stale");
    const titles = Object.fromEntries(found.roles.map((role) => [role.name, role.title]));
    const picture = new ChainPicture(found.chain, (step) => {
      const card = document.getElementById(`phase-${step.split(".").pop().replace(/-\d+$/, "")}`);
      if (card) { tabs.choose("phases"); card.scrollIntoView({ block: "start" }); card.focus({ preventScroll: true }); }
    });
    picture.update({ nodes: {}, rounds: {} });
    replace(chainPlace, picture.element);
    headline.textContent = found.name;
    about.textContent = [found.description, company.folder].filter(Boolean).join(" · ");
    replace(roles, found.roles.map(roleCard));
    replace(phases, found.phases.map((phase) => phaseCard(phase, titles)));
  };

  const editor = new Editor(company, {
    check: (files) => post(path(id, "/check"), { files }),
    save: (files, was) => post(path(id, "/save"), { files, was }),
  }, draw);
  const tabs = new Tabs("Parts of the company", [["phases", "Phases", h("div", { class: "side" }, phases)],
    ["roles", "Roles", h("div", { class: "side" }, roles)], ["files", "Files", h("div", { class: "side" }, editor.element)]], () => {});

  const copy = async () => {
    const name = h("input", { value: `my_${(company.name || id).replace(/\W/g, "_")}`, required: true });
    const form = h("form", { class: "sheet", on: { submit: async (event) => {
      event.preventDefault();
      try { location.hash = `#/company/${encodeURIComponent((await post(path(id, "/copy"), { as: name.value })).id)}`; }
      catch (error) { toast(error.message, true); }
    } } }, field("Name of the new folder", name, "It holds the whole company: chain, roles and phases."),
    h("p", {}, h("button", { class: "primary", type: "submit" }, "Copy"), " ", button("Cancel", () => form.remove())));
    place.querySelector(".head").after(form);
    name.focus();
  };

  replace(place, h("div", { class: "company" },
    h("div", { class: "head" }, h("div", {}, headline, about), button("Make a copy of my own", copy)),
    h("div", { class: "company-body" }, chainPlace, h("div", { class: "company-parts" }, tabs.list,
      [...tabs.panels.values()].map(({ panel }) => panel)))));
  tabs.choose(company.errors.length ? "files" : "phases");
  draw(company);
  editor.showErrors(company.errors, company.warnings);
  document.title = `${company.name || id} · ChatDev studio`;
  return () => editor.leave();
}
