// Going back to a step and on from there, as another product.

import { get, post, productPath } from "./api.js";
import { button, field, h } from "./dom.js";

export function forkForm(view, done) {
  const step = h("select", {});
  const name = h("input", { required: true, maxlength: 80, value: `${view.name.replace(/-\d{8}-\d{6}.*$/, "")}-fork`, spellcheck: "false" });
  const model = h("input", { placeholder: "the same", spellcheck: "false" });
  const comment = h("textarea", { rows: 2 });
  const problem = h("p", { class: "problem", role: "alert" });
  get(productPath(view.name, "/moments")).then(({ moments }) => {
    for (const one of new Set(moments.map((moment) => moment[2]).filter(Boolean))) step.append(h("option", { value: one }, one));
  });
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
  const form = h("form", { class: "sheet fork", on: { submit } }, h("h2", {}, "Fork: dialogue and software branch together"),
    field("At", step), field("Name", name), field("Model", model), field("Tell the agents", comment), problem,
    h("p", {}, h("button", { type: "submit", class: "primary" }, "Fork"), " ",
      button("Cancel", () => { form.remove(); done(); })));
  return form;
}
