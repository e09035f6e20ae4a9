// You at the table: answering what you are asked, speaking to agents.

import { get, post, productPath } from "./api.js";
import { button, field, h, replace, safely, toast, visible } from "./dom.js";
import { patchFile } from "./files.js";

const LABELS = {
  approve: "Approve", comment: "Send the comment", edit: "Save my edits", reject: "Reject: do it again",
  skip: "Skip: take it back and go on", stop: "Stop the run",
};
const TO_AGENTS = { comment: "Answer", skip: "Leave it open" };

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
    this.element.dataset.id = id;
    if (!id) { replace(this.element); return; }
    try {
      const found = await get(productPath(this.view.name, "/asked"));
      if (this.id === id) { const broken = safely(() => this.draw(found)); if (broken) replace(this.element, broken); }
    } catch (error) {
      replace(this.element, h("p", { class: "problem" }, error.message));
    }
  }

  draw(asked) {
    const choices = asked.choices && asked.choices.length ? asked.choices : ["approve", "comment", "stop"];
    const comment = h("textarea", { rows: 2 });
    const edits = new Map();
    const words = asked.about === "question" ? { ...LABELS, ...TO_AGENTS } : LABELS;
    const act = (choice, label = words[choice] || choice, scope = "") => button(label,
      () => this.answer(asked, choice, choice === "always" ? scope : comment.value.trim(), edits, comment), { class:
        choice === "approve" || (choice === "comment" && asked.about === "question") ? "primary" : choice === "stop" ? "danger" : "",
        data: { choice, scope } });
    const main = choices.filter((one) => !["edit", "always", "stop"].includes(one));
    const quiet = [choices.includes("always") && [act("always", "Approve, and don’t ask again about this phase"),
      act("always", "… in this whole run", "run")], choices.includes("stop") && act("stop")];
    const head = h("h3", { tabindex: "-1" }, asked.about === "question" ? "An agent asks you: " : "Please look at this: ", asked.title || asked.step);
    replace(this.element, head,
      asked.reasons && h("div", { class: "reasons" }, h("h4", {}, "The reasons"), h("pre", {}, [asked.reasons].flat().join("\n"))),
      asked.patch && asked.patch.length ? h("div", { class: "subject" }, asked.patch.map(patchFile))
        : h("pre", { class: "subject" }, asked.subject || ""),
      asked.evidence && h("p", { class: "quiet" }, `The last checks: ${asked.evidence.verdict}, ${asked.evidence.reason}`,
        asked.evidence.current ? "" : " (before the newest changes)"),
      choices.includes("edit") && this.editor(asked, edits, act("edit")),
      (choices.includes("comment") || choices.includes("reject")) && field(asked.about === "question" ? "Your answer" : "Your comment, or the reason why it is rejected", comment),
      h("p", { class: "choices" }, main.map((one) => act(one))),
      quiet.some(Boolean) && h("p", { class: "choices quietly" }, quiet));
    // Whoever is typing a message or reading elsewhere keeps the keyboard where it is; the question is announced.
    if (!document.activeElement || document.activeElement === document.body || document.activeElement.id === "main") head.focus();
  }

  editor(asked, edits, save) {
    const names = Object.keys(asked.files || {});
    const make = (name, text) => {
      const area = h("textarea", { rows: 14, class: "mono", spellcheck: "false", wrap: "off" });
      area.value = text;
      area.addEventListener("input", () => edits.set(name, area.value));
      return field(visible(name) || "The text", area);
    };
    return h("details", { class: "edits" }, h("summary", {}, "Edit it yourself"),
      names.length ? names.map((name) => make(name, asked.files[name])) : make("", asked.subject || ""),
      h("p", {}, save, " ", h("small", {}, names.length ? "It becomes a commit of yours, and the agents are told." : "The agents are told.")));
  }

  async answer(asked, choice, text, edits, comment) {
    if (choice === "comment" && !text) { toast("Write something first.", true); comment.focus(); return; }
    if (choice === "edit" && !edits.size) { toast("Nothing was edited.", true); return; }
    const body = { question: asked.question, answer: choice, text };
    if (choice === "edit") {
      if (edits.has("")) body.text = edits.get("");
      else body.files = Object.fromEntries(edits);
    }
    try {
      await post(productPath(this.view.name, "/answer"), body);
      const told = h("p", { class: "quiet", tabindex: "-1" }, "Your answer is on its way.");
      replace(this.element, told);
      told.focus();
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
