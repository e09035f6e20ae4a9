// Commits with coloured diffs, the files as they are in the newest one, and who wrote a line of them.

import { get, productPath } from "./api.js";
import { button, field, h, number, replace, visible } from "./dom.js";
import { words } from "./item.js";

const pieces = (line) => line.map(([kind, text]) => (kind ? h("span", { class: `hl-${kind}` }, text) : text));

/** One file of a patch. */
export function patchFile(file) {
  const rows = file.hunks.map((hunk) => [
    h("tr", { class: "hunk" }, h("td", { colspan: 3 }, hunk.note || "…")),
    hunk.lines.map((line) => h("tr", { class: { "+": "add", "-": "del" }[line.sign] || "" },
      h("td", { class: "no" }, line.old), h("td", { class: "no" }, line.new),
      h("td", { class: "src" }, h("span", { class: "sign" }, line.sign), pieces(line.pieces)))),
  ]);
  return h("details", { class: "patch", open: true },
    h("summary", {}, h("code", {}, visible(file.path)), " ", h("small", {}, file.status)),
    file.binary ? h("p", { class: "quiet" }, "Not text.")
      : h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": `Changes of ${visible(file.path)}` },
        h("table", { class: "diff" }, h("tbody", {}, rows))),
    file.cut && h("p", { class: "quiet" }, "The rest of this file is not shown."));
}

/** A file with numbers; a click on one asks who wrote the line. By keyboard there is a field for that. */
function source(lines, ask) {
  return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Source" },
    h("table", { class: "diff" }, h("tbody", {}, lines.map((line, number) =>
      h("tr", {}, h("td", { class: "no" }, button(number + 1, () => ask(number + 1), { class: "link", tabindex: "-1", title: "Who wrote this line?" })),
        h("td", { class: "src" }, pieces(line)))))));
}

/** The commit of a line, and what was said before it was made. */
function blamed(found, view) {
  const { commit } = found;
  return h("section", { class: "blame", "aria-label": "Who wrote the line" },
    h("h4", { tabindex: "-1" }, `Line ${found.line}`), h("pre", {}, found.text),
    commit ? h("p", {}, button(h("span", {}, h("code", {}, commit.sha.slice(0, 8)), ` ${commit.message}`), () => view.showCommit(commit.sha), { class: "row" }),
      h("small", {}, ` ${commit.author}`)) : h("p", { class: "quiet" }, "Never committed: it was edited by hand since the last commit."),
    commit && !found.dialogue.length && h("p", { class: "quiet" },
      found.by_hand ? "No dialogue wrote it: a person did, by hand." : "No dialogue of this run wrote it: it is from before."),
    found.dialogue.map((one) => h("details", { class: "told", open: one.kind === "said" }, h("summary", {}, `${one.who}${one.kind === "told" ? " asks" : " says"}`),
      words(one.text), button("Show it in the dialogue", () => view.jump(one.id), { class: "small" }))));
}

export class Files {
  constructor(view) {
    this.view = view;
    this.commits = null;
    this.list = h("ol", { class: "commits" });
    this.shown = h("div", { class: "shown", "aria-live": "off" });
    this.element = h("div", { class: "files" }, h("h3", {}, "Commits"), this.list,
      button("Files as they are now", () => this.tree(), { class: "small" }), this.shown);
  }

  /** All commits so far, oldest first: `{sha, author, message, files}`. */
  update(commits) {
    if (this.commits && commits.length === this.commits.length) return;
    this.commits = commits;
    replace(this.list, [...commits].reverse().map((one) => {
      const sums = one.files.reduce((sum, file) => [sum[0] + (file.added || 0), sum[1] + (file.removed || 0)], [0, 0]);
      return h("li", {}, button(h("span", {}, h("code", {}, one.sha.slice(0, 8)), ` ${one.message}`), () => this.commit(one.sha),
        { class: "row", data: { sha: one.sha } }), h("small", {}, `${one.files.map((file) => visible(file.path)).join(", ")} `,
        h("span", { class: "plus" }, `+${sums[0]}`), " ", h("span", { class: "minus" }, `−${sums[1]}`)));
    }));
    if (!commits.length) replace(this.list, h("li", { class: "quiet" }, "No file has been written yet."));
  }

  async commit(sha) {
    this.mark(sha);
    await this.fetch(`/commits/${sha}`, (found) => [
      h("h4", { tabindex: "-1" }, found.message), h("p", { class: "quiet" }, `${found.author} · `, h("code", {}, found.sha.slice(0, 12))),
      found.files.map(patchFile), found.cut && h("p", { class: "quiet" }, "The rest of this commit is not shown.")]);
  }

  async tree() {
    this.mark("");
    await this.fetch("/files", ({ files }) => [h("h4", { tabindex: "-1" }, "Files"),
      files.length ? h("ul", { class: "tree" }, files.map((one) => h("li", {},
        button(h("code", {}, visible(one.path)), () => this.file(one.path), { class: "row" }), h("small", {}, ` ${number(one.size)} bytes`))))
        : h("p", { class: "quiet" }, "There is none yet.")]);
  }

  async file(path) {
    await this.fetch(`/file?path=${encodeURIComponent(path)}`, (found) => {
      const answer = h("div", {});
      const ask = async (line) => {
        try {
          replace(answer, blamed(await get(productPath(this.view.name, `/blame?path=${encodeURIComponent(path)}&line=${line}`)), this.view));
          answer.querySelector("h4").focus();
        } catch (error) {
          replace(answer, h("p", { class: "problem", role: "alert" }, error.message));
        }
      };
      const line = h("input", { type: "number", min: 1, max: Math.max(1, found.lines.length), value: 1 });
      const form = h("form", { class: "ask-line", on: { submit: (event) => { event.preventDefault(); ask(Number(line.value)); } } },
        field("Line", line), h("button", { type: "submit", class: "small" }, "Who wrote it?"));
      return [h("p", {}, button("← Files", () => this.tree(), { class: "small" })), h("h4", { tabindex: "-1" }, visible(found.path)),
        found.binary ? h("p", { class: "quiet" }, `Not text, or too long: ${number(found.size)} bytes.`)
          : [found.lines.length ? form : null, answer, source(found.lines, ask)]];
    });
  }

  mark(sha) {
    for (const one of this.list.querySelectorAll("button")) {
      if (one.dataset.sha === sha) one.setAttribute("aria-current", "true");
      else one.removeAttribute("aria-current");
    }
  }

  async fetch(rest, make) {
    replace(this.shown, h("p", { class: "quiet" }, "Loading …"));
    try {
      replace(this.shown, make(await get(productPath(this.view.name, rest))));
      this.shown.querySelector("h4").focus({ preventScroll: true });
    } catch (error) {
      replace(this.shown, h("p", { class: "problem" }, error.message));
    }
  }
}
