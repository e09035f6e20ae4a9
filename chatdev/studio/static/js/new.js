// A new run.

import { get, post } from "./api.js";
import { button, field, h, replace } from "./dom.js";

export async function newPage(place) {
  const [{ companies }, { products }] = await Promise.all([get("companies"), get("products")]);
  const option = (value, text, chosen) => h("option", { value, selected: chosen }, text);
  const task = h("textarea", { rows: 5, required: true, maxlength: 200000, placeholder: "a snake game with a pause key" });
  const company = h("select", {}, companies.map((one) =>
    option(one.start, `${one.name}${one.description ? ` · ${one.description}` : ""}`.slice(0, 110), one.name === "default")));
  const model = h("input", { placeholder: "auto", spellcheck: "false", list: "models" });
  const models = h("datalist", { id: "models" }, ["auto", "openai:", "hf:", "scripted:snake"].map((one) => option(one)));
  const review = h("input", { placeholder: "none", spellcheck: "false" });
  const from = h("select", {}, option("", "nothing: an empty folder"), products.map((one) => option(one.name, one.name)));
  const sandbox = h("select", {}, ["", "docker", "bubblewrap", "none"].map((one) => option(one, one || "as the company says")));
  const seed = h("input", { type: "number", min: 0, value: 0 });
  const name = h("input", { maxlength: 100, placeholder: "from the task" });
  const problem = h("p", { class: "problem", role: "alert" });
  const start = button("Start", () => {}, { class: "primary", type: "submit" });

  const submit = async (event) => {
    event.preventDefault();
    problem.textContent = "";
    start.disabled = true;
    start.textContent = "Starting …";
    try {
      const { product } = await post("products", {
        task: task.value, company: company.value, model: model.value, review: review.value, from: from.value,
        sandbox: sandbox.value, seed: Number(seed.value) || 0, name: name.value,
      });
      location.hash = `#/run/${encodeURIComponent(product)}`;
    } catch (error) {
      problem.textContent = error.message;
    } finally {
      start.disabled = false;
      start.textContent = "Start";
    }
  };

  replace(place, h("div", { class: "narrow" }, h("h1", {}, "New run"),
    h("form", { class: "sheet", on: { submit } },
      field("What shall be built?", task),
      field("Company", company),
      field("Model", model, "auto takes what the environment names; openai:NAME, hf:FOLDER or scripted:snake"), models,
      field("You sign off", review, "none, all, or phases such as coding,manual: their result is laid before you"),
      h("details", {}, h("summary", {}, "More"),
        field("Name", name), field("Start from", from), field("Sandbox", sandbox), field("Seed", seed)),
      problem, h("p", {}, start))));
  document.title = "New run · ChatDev studio";
  task.focus();
}
