// One run: loaded once, then followed. The server folds the journal; this draws what it says.

import { download, EventStream, get, post, productPath } from "./api.js";
import { ChainPicture } from "./chain.js";
import { Dialogue } from "./dialogue.js";
import { button, duration, h, number, replace, safely, toast, visible } from "./dom.js";
import { Files } from "./files.js";
import { forkForm, undoForm } from "./fork.js";
import { chip } from "./home.js";
import { messageForm, Question } from "./person.js";
import { Replay } from "./replay.js";
import { costs, Ladder, streams } from "./side.js";
import { Tabs } from "./tabs.js";

export class RunView {
  /** `ended` is called whenever the run ceases to be at work. */
  constructor(name, ended = () => {}) {
    this.name = name;
    this.ended = ended;
    this.past = false;
    this.state = null;
    this.dialogue = new Dialogue(this);
    this.question = new Question(this);
    this.files = new Files(this);
    this.ladder = new Ladder(this);
    this.replay = new Replay(this);
    this.talk = messageForm(this);
    this.build();
  }

  build() {
    this.heading = h("h1", {}, visible(this.name));
    this.status = h("p", { class: "status" });
    this.progress = h("p", { class: "progress quiet", hidden: true });
    this.actions = h("div", { class: "actions" });
    this.notice = h("p", { class: "problem", role: "alert", hidden: true });
    this.chainPlace = h("div", { class: "panel chain-place" });
    this.streams = h("div", {});
    this.costs = h("div", {});
    const panel = (made) => h("div", { class: "panel side" }, made);
    const talkPanel = h("div", { class: "panel talk-place" }, this.question.element, this.dialogue.element, this.talk);
    const panels = [["dialogue", "Dialogue", talkPanel], ["chain", "Chain", this.chainPlace],
      ["files", "Files", panel(this.files.element)], ["checks", "Checks", panel(this.ladder.element)],
      ["streams", "Streams", panel(this.streams)], ["costs", "Costs", panel(this.costs)]];
    this.tabs = new Tabs("Parts of the run", panels, (name) => { this.body.dataset.tab = name; });
    this.body = h("div", { class: "run-body" }, this.chainPlace, talkPanel,
      h("div", { class: "side-place" }, this.tabs.list, panels.slice(2).map(([, , one]) => one)));
    this.element = h("section", { class: "run", "aria-label": `Run ${visible(this.name)}` },
      h("header", { class: "run-head" }, h("div", {}, this.heading, this.status, this.progress), this.actions),
      this.notice, this.replay.element, this.body);
    this.tabs.choose(matchMedia("(max-width: 1099px)").matches ? "dialogue" : "files");
  }

  title(role) {
    const titles = (this.state && this.state.titles) || {};
    return titles[role] || { house: "House", human: "You" }[role] || role || "";
  }

  /** Load the run as it is now, and follow it from there. */
  async live() {
    this.close();
    const found = await get(productPath(this.name));
    this.past = false;
    this.commits = found.commits;
    this.chain = new ChainPicture(found.chain, (step) => this.goTo(step));
    replace(this.chainPlace, found.chain.length ? this.chain.element
      : h("p", { class: "problem" }, `The chain cannot be drawn: ${found.chain_error}`));
    this.draw(found.state);
    this.dialogue.show(found.items, found.earlier);
    for (const [agent, text] of Object.entries(found.words)) this.dialogue.words(agent, text);
    if (!found.state.at_work) this.dialogue.breakOff();
    this.stream = new EventStream(productPath(this.name, "/events"), found.last_id, (kind, data) => this.hear(kind, data));
  }

  close() {
    if (this.stream) this.stream.close();
    this.stream = null;
  }

  hear(kind, data) {
    if (kind === "item") {
      if (data.kind === "committed" && data.sha) this.commits = [...this.commits, data];
      this.dialogue.add(data);
    } else if (kind === "words") this.dialogue.words(data.agent, data.text);
    else if (kind === "state") this.draw(data);
    else if (kind === "progress") this.loading(data);
    else if (kind === "reset") this.live();
    else if (kind === "gone") this.gone();
    else if (kind === "lost") this.element.classList.add("lost");
    else if (kind === "connected") this.element.classList.remove("lost");
  }

  loading({ what, done }) {
    this.progress.hidden = done >= 1;
    this.progress.textContent = `${what} ${Math.round(done * 100)} %`;
  }

  gone() {
    this.close();
    this.notice.hidden = false;
    replace(this.notice, "This product is not in the warehouse any more. What you see is what was read of it before. ",
      h("a", { href: "#/" }, "All products"));
    replace(this.actions);
    this.talk.hidden = this.question.element.hidden = true;
  }

  draw(state) {
    const before = this.state;
    this.state = state;
    if (before && before.at_work && !state.at_work && !state.past) { this.dialogue.breakOff(); this.ended(); }
    this.heading.textContent = (state.task || visible(this.name)).split("\n")[0].slice(0, 160);
    const now = state.past ? "replay" : state.at_work ? (state.asked ? "waits for you" : "at work") : state.state;
    replace(this.status, chip({ state: now, verdict: state.verdict }), " ",
      h("span", {}, [state.step && h("code", {}, state.step), `${number(state.total.tokens)} tokens`, state.money_text,
        duration(state.seconds)].filter(Boolean).flatMap((one, at) => (at ? [" · ", one] : [one]))),
      h("span", { class: "reason" }, this.why(state)));
    if (!state.at_work) this.progress.hidden = true;
    this.notice.hidden = !state.damage;
    this.notice.textContent = state.damage ? `The journal is damaged at ${state.damage}. What can be read of it is shown; the files are in the product’s folder.` : "";
    this.drawActions(state);
    this.chain.update(state);
    this.ladder.update(state);
    this.files.update(this.commits.filter((one) => one.id <= state.last_id));
    replace(this.streams, safely(() => streams(state, this)));
    replace(this.costs, safely(() => costs(state, this)));
    this.question.update(state);
    this.talk.hidden = !state.at_work || state.past;
    if (!this.rolesSet && state.titles) { this.talk.setRoles(state.titles); this.rolesSet = true; }
  }

  why(state) {
    if (state.at_work && !state.past) return "";
    if (state.state === "interrupted" && !state.past) return "the process ended before the run did; nothing is lost, Resume goes on";
    return state.reason;
  }

  drawActions(state) {
    const now = `${state.at_work} ${state.state} ${state.past} ${state.undone}`;
    if (now === this.actionsFor) return;
    this.actionsFor = now;
    const can = !state.past;
    replace(this.actions,
      can && state.at_work && button("Stop", () => this.act("stop", "It stops, saved."), { class: "danger" }),
      can && !state.at_work && state.state !== "finished" && button("Resume", () => this.act("resume", "The run goes on."), { class: "primary" }),
      can && !state.at_work && button("Undo", (event) => this.open(undoForm, event.target)),
      can && !state.at_work && state.undone && button("Redo", () => this.act("redo", "It is back.")),
      can && button("Fork", (event) => this.open(forkForm, event.target)),
      can && button("Replay", () => this.replay.open()),
      can && button("Export", () => this.export(), { title: "The run as one HTML page, to be kept or sent" }));
  }

  async export() {
    try { await download(productPath(this.name, "/export"), `${this.name}.html`); }
    catch (error) { toast(error.message, true); }
  }

  async act(what, told) {
    try { await post(productPath(this.name, `/${what}`)); toast(told); }
    catch (error) { toast(error.message, true); }
  }

  closeForm() {
    if (this.form) this.form.element.remove();
    this.form = null;
  }

  /** Open a form below the head; the button that opened it closes it. */
  open(make, opener) {
    const same = this.form && this.form.make === make;
    this.closeForm();
    if (same) return;
    const element = make(this, opener, () => { this.form = null; });
    this.form = { make, element };
    this.element.querySelector(".run-head").after(element);
  }

  async showPast(id) {
    this.close();
    const [{ state }, page] = await Promise.all([get(productPath(this.name, `?at=${id}`)),
      get(productPath(this.name, `/items?before=${id + 1}`))]);
    this.past = true;
    this.draw(state);
    this.dialogue.show(page.items, page.earlier);
  }

  async showCommit(sha) {
    this.tabs.choose("files");
    await this.files.commit(sha);
  }

  async goTo(step) {
    if (this.dialogue.element.offsetParent === null) this.tabs.choose("dialogue");
    if (!(await this.dialogue.goTo(step))) toast("The run has not come to that step.");
  }

  async jump(id, focus = true) {
    if (this.dialogue.element.offsetParent === null) this.tabs.choose("dialogue");
    await this.dialogue.jump(id, focus);
  }
}

export async function runPage(place, name) {
  const view = new RunView(name);
  await view.live();
  place.classList.add("wide");
  replace(place, view.element);
  // Behind what was asked when the items came: they have no height before they are in the page.
  view.dialogue.bottom();
  document.title = `${visible(name)} · ChatDev studio`;
  return () => view.close();
}
