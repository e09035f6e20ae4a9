// Two runs side by side, and where they part.

import { get } from "./api.js";
import { button, h, replace, visible } from "./dom.js";
import { patchFile } from "./files.js";
import { RunView } from "./run.js";

const LINE = { "+": "add", "-": "del", "@": "hunk" };

function side(mark, one) {
  return h("li", {}, h("b", {}, `${mark} ${visible(one.name)}`), ` ${one.where}`,
    one.id !== null && h("small", {}, ` · and ${one.replies} ${one.replies === 1 ? "reply" : "replies"} from there on`));
}

function inWords(found) {
  if (found.same) return h("p", {}, `Nothing was said otherwise: ${found.replies} replies are the same.`);
  return [h("p", {}, found.replies ? `The first ${found.replies} replies are the same. Then:` : "They differ from the first word on:"),
    h("ul", { class: "sides" }, side("−", found.a), side("+", found.b)),
    found.words.length > 0 && h("pre", { class: "differ", tabindex: "0", role: "region", "aria-label": "How the words differ" },
      found.words.map((line) => h("span", { class: LINE[line[0]] || "" }, `${line}\n`)))];
}

function inCode(found) {
  const sums = (file) => (file.added === "-" ? "not text" : `+${file.added} −${file.removed}`);
  return [h("p", {}, found.commit ? ["The last commit of both is ", h("code", {}, found.commit.slice(0, 8)), "."] : "They have no commit in common.",
    found.files.length ? ` ${found.files.length} ${found.files.length === 1 ? "file differs" : "files differ"}: ${found.files.map((one) => `${visible(one.path)} ${sums(one)}`).join(", ")}`
      : " No file differs."), found.patch.map(patchFile)];
}

/** The panel above the two runs; `views` are brought to the place where they part. */
class Parting {
  constructor(views) {
    this.views = views;
    this.body = h("div", { class: "parting-body" });
    this.there = button("Show the place in both", () => this.show(), { class: "small", hidden: true });
    this.element = h("details", { class: "parting", open: true },
      h("summary", {}, h("h2", {}, "Where they part")), this.body);
  }

  async load() {
    try {
      const [a, b] = this.views.map((view) => encodeURIComponent(view.name));
      this.found = await get(`parting/${a}/${b}`);
      const { found } = this;
      this.there.hidden = found.same;
      replace(this.body, h("section", { "aria-label": "In words" }, h("h3", {}, "In words"), inWords(found), this.there),
        h("section", { "aria-label": "In code" }, h("h3", {}, "In code"), inCode(found)),
        found.cut && h("p", { class: "quiet" }, "More is different than is shown here."));
    } catch (error) {
      replace(this.body, h("p", { class: "problem" }, error.message));
    }
  }

  async show() {
    await Promise.all(this.views.map((view, number) => {
      const { id } = number ? this.found.b : this.found.a;
      return id === null ? view.dialogue.toEnd() : view.jump(id, false);
    }));
  }
}

export async function besidePage(place, one, other) {
  const views = [one, other].map((name) => new RunView(name, () => parting.load()));
  const parting = new Parting(views);
  await Promise.all([...views.map((view) => view.live()), parting.load()]);
  views.forEach((view) => view.tabs.choose("dialogue"));
  place.classList.add("wide");
  replace(place, h("div", { class: "beside-page" }, parting.element, h("div", { class: "beside" }, views.map((view) => view.element))));
  views.forEach((view) => view.dialogue.bottom());
  if (parting.found && !parting.found.same && !views.some((view) => view.state.at_work)) await parting.show();
  document.title = "Side by side · ChatDev studio";
  return () => views.forEach((view) => view.close());
}
