// You at the table: answering what you are asked, speaking to agents.

import { get, post, productPath } from "./api.js";
import { button, field, h, replace, toast } from "./dom.js";
import { patchFile } from "./files.js";

const LABELS = {
  approve: "Approve", comment: "Send the comment", edit: "Save my edits", reject: "Reject: do it again",
  skip: "Skip", stop: "Stop the run", always: "Approve, and don’t ask again",
};

export class Question {
  constructor(view) {
    this.view = view;
    this.element = h("section", { class: "question", "aria-label": "You are asked", hidden: true });
    this.id = 0;
  }

  async update(state) {
    const asked = state.past ? null : state.asked;
    const id = asked ? asked.id : 0;
    if (id === this.id) return;
    this.id = id;
    this.element.hidden = !id;
    if (!id) { replace(this.element); return; }
    try {
      const found = await get(productPath(this.view.name, "/asked"));
      if (this.id === id) this.draw(found);
    } catch (error) {
      replace(this.element, h("p", { class: "problem" }, error.message));
    }
  }

  draw(asked) {
    const choices = asked.choices && asked.choices.length ? asked.choices : ["approve", "comment", "stop"];
    const comment = h("textarea", { rows: 2 });
    const edits = new Map();
    const act = (choice) => button(LABELS[choice] || choice, () => this.answer(asked, choice, comment, edits),
      { class: choice === "approve" ? "primary" : choice === "stop" ? "danger" : "", data: { choice } });
    const editing = choices.includes("edit") ? this.editor(asked, edits) : null;
    const head = h("h3", { tabindex: "-1" }, asked.about === "question" ? "An agent asks you: " : "Please look at this: ", asked.title || asked.step);
    replace(this.element, head,
      asked.reasons && h("div", { class: "reasons" }, h("h4", {}, "The reasons"), h("pre", {}, [asked.reasons].flat().join("\n"))),
      asked.patch && asked.patch.length ? h("div", { class: "subject" }, asked.patch.map(patchFile))
        : h("pre", { class: "subject" }, asked.subject || ""),
      asked.evidence && h("p", { class: "quiet" }, `The last checks: ${asked.evidence.verdict}, ${asked.evidence.reason}`,
        asked.evidence.current ? "" : " (before the newest changes)"),
      editing,
      (choices.includes("comment") || choices.includes("reject")) && field(asked.about === "question" ? "Your answer" : "Your comment", comment),
      h("p", { class: "choices" }, choices.map(act)));
    head.focus({ preventScroll: false });
  }

  editor(asked, edits) {
    const names = Object.keys(asked.files || {});
    const make = (name, text) => {
      const area = h("textarea", { rows: 14, class: "mono", spellcheck: "false", wrap: "off" });
      area.value = text;
      area.addEventListener("input", () => edits.set(name, area.value));
      return field(name || "The text", area);
    };
    return h("details", { class: "edits" }, h("summary", {}, "Edit it yourself"),
      names.length ? names.map((name) => make(name, asked.files[name])) : make("", asked.subject || ""));
  }

  async answer(asked, choice, comment, edits) {
    const text = comment.value.trim();
    if (choice === "comment" && !text) { toast("Write a comment first.", true); comment.focus(); return; }
    if (choice === "edit" && !edits.size) { toast("Nothing was edited.", true); return; }
    const body = { question: asked.question, answer: choice, text };
    if (choice === "edit") {
      if (edits.has("")) body.text = edits.get("");
      else body.files = Object.fromEntries(edits);
    }
    try {
      await post(productPath(this.view.name, "/answer"), body);
      replace(this.element, h("p", { class: "quiet" }, "Your answer is on its way."));
    } catch (error) {
      toast(error.message, true);
    }
  }
}

/** A line to one agent or to all; it is heard at the agent's next turn. */
export function messageForm(view) {
  const to = h("select", { "aria-label": "To whom" });
  const line = h("textarea", { rows: 1, "aria-label": "Message", placeholder: "Say something to the agents" });
  const send = async () => {
    if (!line.value.trim()) return;
    try {
      await post(productPath(view.name, "/message"), { to: to.value, text: line.value });
      line.value = "";
      toast("It is heard at the next turn.");
    } catch (error) {
      toast(error.message, true);
    }
  };
  line.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey) { event.preventDefault(); send(); }
  });
  const form = h("form", { class: "talk", on: { submit: (event) => { event.preventDefault(); send(); } } },
    to, line, h("button", { type: "submit" }, "Send"));
  form.setRoles = (titles) => replace(to, h("option", { value: "all" }, "all"),
    Object.entries(titles || {}).map(([name, title]) => h("option", { value: name }, title)));
  return form;
}
