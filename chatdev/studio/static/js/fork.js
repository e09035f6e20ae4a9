// Going back: to a step and on from there as another product (fork), or behind a step of this one (undo).

import { get, post, productPath } from "./api.js";
import { button, closing, field, h, toast } from "./dom.js";

async function fillSteps(view, select, newest) {
  const { steps } = await get(productPath(view.name, "/steps"));
  const seen = new Map(steps.map((one) => [one.path, one.label]));
  const options = [...seen].map(([path, label]) => h("option", { value: path }, label));
  select.append(...(newest ? options.reverse() : options));
}

export function undoForm(view, opener, done) {
  const step = h("select", {});
  const problem = h("p", { class: "problem", role: "alert" });
  fillSteps(view, step, true).catch((error) => { problem.textContent = error.message; });
  const submit = async (event) => {
    event.preventDefault();
    problem.textContent = "";
    try {
      await post(productPath(view.name, "/undo"), { to: step.value });
      close();
      toast("Undone. Nothing is destroyed: Redo brings it back, Resume does the step again.");
    } catch (error) {
      problem.textContent = error.message;
    }
  };
  const form = h("form", { class: "sheet fork", "aria-label": "Undo", on: { submit } }, h("h2", {}, "Undo: go back to before a step"),
    field("Step", step, "What came after it is undone as well, dialogue and software together. The commits stay in a branch of their own."), problem,
    h("p", {}, h("button", { type: "submit", class: "primary" }, "Undo it"), " ", button("Cancel", () => close())));
  const close = closing(form, opener, done);
  requestAnimationFrame(() => step.focus());
  return form;
}

export function forkForm(view, opener, done) {
  const step = h("select", {});
  const name = h("input", { required: true, maxlength: 80, value: `${view.name.replace(/-\d{8}-\d{6}.*$/, "")}-fork`, spellcheck: "false" });
  const model = h("input", { placeholder: "the same", spellcheck: "false" });
  const comment = h("textarea", { rows: 2 });
  const problem = h("p", { class: "problem", role: "alert" });
  fillSteps(view, step, false).catch((error) => { problem.textContent = error.message; });
  const submit = async (event) => {
    event.preventDefault();
    problem.textContent = "";
    try {
      const { product } = await post(productPath(view.name, "/fork"),
        { at: step.value, as: name.value, model: model.value, comment: comment.value });
      location.hash = `#/run/${encodeURIComponent(product)}`;
    } catch (error) {
      problem.textContent = error.message;
    }
  };
  const form = h("form", { class: "sheet fork", "aria-label": "Fork", on: { submit } },
    h("h2", {}, "Fork: dialogue and software branch together"),
    field("At", step, "This step is done anew; the product you look at stays as it is."), field("Name", name), field("Model", model), field("Tell the agents", comment), problem,
    h("p", {}, h("button", { type: "submit", class: "primary" }, "Fork"), " ", button("Cancel", () => close())));
  const close = closing(form, opener, done);
  requestAnimationFrame(() => step.focus());
  return form;
}
