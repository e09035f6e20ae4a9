// The files of a company: a text field with line numbers, checked as one types, saved when the whole company is right.

import { button, h, replace, toast } from "./dom.js";

const WAIT = 350;

export class Editor {
  /** `server` checks and saves; `changed` is told what the company looks like now. */
  constructor(company, server, changed) {
    this.server = server;
    this.changed = changed;
    this.files = new Map(company.files.map((file) => [file.key, { ...file, draft: file.text }]));
    this.errors = [];
    this.picker = h("select", { "aria-label": "File", on: { change: () => this.open(this.picker.value) } },
      company.files.map((file) => h("option", { value: file.key }, file.key + (file.writable ? "" : " (to be read)"))));
    this.gutter = h("div", { class: "gutter", "aria-hidden": "true" });
    this.area = h("textarea", { class: "mono", spellcheck: "false", wrap: "off", "aria-label": "Text of the file",
      autocapitalize: "off", autocomplete: "off" });
    this.area.addEventListener("input", () => this.typed());
    this.area.addEventListener("scroll", () => { this.gutter.scrollTop = this.area.scrollTop; });
    this.list = h("ul", { class: "errors", "aria-live": "polite", "aria-label": "What is wrong" });
    this.saver = button("Save", () => this.save(), { class: "primary" });
    this.state = h("span", { class: "quiet", role: "status" });
    this.element = h("div", { class: "editor" }, h("div", { class: "editor-bar" }, this.picker, this.saver, this.state),
      h("div", { class: "sheet-of-text" }, this.gutter, this.area), this.list);
    this.warn = (event) => { if (Object.keys(this.drafts()).length) event.preventDefault(); };
    addEventListener("beforeunload", this.warn);
    this.open(company.files[0].key);
  }

  open(key) {
    this.key = key;
    this.picker.value = key;
    const file = this.files.get(key);
    this.area.value = file.draft;
    this.area.readOnly = !file.writable;
    this.area.scrollTop = 0;
    this.lines();
    this.told();
  }

  typed() {
    this.files.get(this.key).draft = this.area.value;
    this.lines();
    this.told();
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.check(), WAIT);
  }

  drafts() {
    return Object.fromEntries([...this.files].filter(([, file]) => file.draft !== file.text).map(([key, file]) => [key, file.draft]));
  }

  async check() {
    const asked = this.asked = (this.asked || 0) + 1;
    try {
      const found = await this.server.check(this.drafts());
      if (asked !== this.asked) return;
      this.showErrors(found.errors, found.warnings);
      this.changed(found);
    } catch (error) {
      toast(error.message, true);
    }
  }

  async save() {
    const files = this.drafts();
    if (!Object.keys(files).length) { toast("Nothing was changed."); return; }
    const was = Object.fromEntries(Object.keys(files).map((key) => [key, this.files.get(key).was]));
    try {
      const company = await this.server.save(files, was);
      for (const file of company.files) {
        const mine = this.files.get(file.key);
        if (mine) Object.assign(mine, { text: file.text, was: file.was, draft: mine.draft === files[file.key] ? file.text : mine.draft });
      }
      this.showErrors(company.errors, company.warnings);
      this.changed(company);
      toast("Saved.");
    } catch (error) {
      toast(error.errors.length ? `Not saved:\n${error.errors.join("\n")}` : `Not saved: ${error.message}`, true);
      this.check();
    }
    this.told();
  }

  showErrors(errors, warnings = []) {
    this.errors = errors;
    replace(this.list, errors.map((one) => this.row(one, "error")), warnings.map((one) => this.row(one, "warning")),
      !errors.length && h("li", { class: "fine" }, "The company is right."));
    this.lines();
    this.told();
  }

  row(one, kind) {
    const place = one.line ? `${one.file || one.where}:${one.line}`.replace(/:(\d+):\1$/, ":$1") : one.where;
    return h("li", { class: kind }, one.file ? button(place, () => this.goTo(one), { class: "link" }) : place, ` ${one.text}`);
  }

  goTo({ file, line }) {
    if (file !== this.key) this.open(file);
    const lines = this.area.value.split("\n");
    const start = lines.slice(0, line - 1).reduce((sum, text) => sum + text.length + 1, 0);
    this.area.focus();
    this.area.setSelectionRange(start, start + (lines[line - 1] || "").length);
    const height = this.area.scrollHeight / lines.length;
    this.area.scrollTop = Math.max(0, (line - 6) * height);
  }

  lines() {
    const wrong = new Set(this.errors.filter((one) => one.file === this.key).map((one) => one.line));
    const count = this.area.value.split("\n").length;
    replace(this.gutter, Array.from({ length: count }, (_, at) =>
      h("span", { class: wrong.has(at + 1) ? "wrong" : "" }, at + 1)));
    this.gutter.scrollTop = this.area.scrollTop;
  }

  told() {
    const count = Object.keys(this.drafts()).length;
    const writable = this.files.get(this.key).writable;
    this.saver.disabled = !count || this.errors.length > 0;
    this.state.textContent = !writable ? "Shipped with the program: make a copy to change it."
      : count ? `${count} ${count === 1 ? "file" : "files"} changed${this.errors.length ? `, ${this.errors.length} errors` : ""}` : "";
  }

  /** Asked before the page is left; false keeps it. */
  leave() {
    if (Object.keys(this.drafts()).length && !confirm("Leave without saving what you changed?")) return false;
    clearTimeout(this.timer);
    removeEventListener("beforeunload", this.warn);
    return true;
  }
}
