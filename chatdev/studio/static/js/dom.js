// Elements without markup: every text goes in as text, so nothing a model says is ever read as HTML.

const SVG = "http://www.w3.org/2000/svg";

function fill(element, properties, children) {
  for (const [name, value] of Object.entries(properties || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "on") for (const [event, act] of Object.entries(value)) element.addEventListener(event, act);
    else if (name === "data") Object.assign(element.dataset, value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  append(element, children);
  return element;
}

export function append(element, children) {
  for (const child of [children].flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
}

/** An HTML element: `h("p", {class: "line"}, "text", other)`. */
export const h = (tag, properties, ...children) => fill(document.createElement(tag), properties, children);

/** An SVG element. */
export const s = (tag, properties, ...children) => fill(document.createElementNS(SVG, tag), properties, children);

export function replace(element, ...children) {
  element.replaceChildren();
  append(element, children);
  return element;
}

export const button = (text, act, properties = {}) =>
  h("button", { type: "button", ...properties, on: { click: act } }, text);

/** Names of files may hold characters that turn the reading direction round or show nothing: they are written out. */
export const visible = (text) => String(text).replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu, (one) => `\\u{${one.codePointAt(0).toString(16)}}`);

/** Part of a page; one that cannot be drawn (a damaged journal) says so, and the others stand. */
export function safely(make) {
  try {
    return make();
  } catch (error) {
    return h("p", { class: "problem" }, `This cannot be shown: ${error.message}`);
  }
}

/** A form that opens below its button: Escape closes it, and the keyboard is back at the button. */
export function closing(form, opener, closed) {
  const close = () => {
    form.remove();
    closed();
    if (opener && opener.isConnected) opener.focus();
  };
  form.addEventListener("keydown", (event) => { if (event.key === "Escape") { event.stopPropagation(); close(); } });
  return close;
}

let count = 0;
/** An id that no other element has; labels and tabs need them. */
export const unique = (stem) => `${stem}-${++count}`;

/** A labelled field. */
export function field(label, control, hint) {
  control.id = control.id || unique("field");
  const told = hint && h("small", { id: `${control.id}-hint` }, hint);
  if (told) control.setAttribute("aria-describedby", told.id);
  return h("div", { class: "field" }, h("label", { for: control.id }, label), control, told);
}

export const number = (value) => (value === null || value === undefined ? "?" : Math.round(value).toLocaleString("en"));

export function duration(seconds) {
  if (!(seconds >= 0)) return "";
  if (seconds < 60) return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${String(Math.floor(seconds % 60)).padStart(2, "0")} s`;
  return `${Math.floor(seconds / 3600)} h ${String(Math.floor((seconds % 3600) / 60)).padStart(2, "0")} min`;
}

export function ago(at) {
  const past = Date.now() / 1000 - at;
  if (past < 90) return "just now";
  if (past < 5400) return `${Math.round(past / 60)} minutes ago`;
  if (past < 129600) return `${Math.round(past / 3600)} hours ago`;
  return new Date(at * 1000).toLocaleDateString("en", { day: "numeric", month: "short", year: "numeric" });
}

let hiding = 0;
/** A line at the edge of the page that goes away by itself; screen readers hear it. */
export function toast(text, bad = false) {
  const place = document.getElementById("toast");
  clearTimeout(hiding);
  place.className = bad ? "bad" : "good";
  place.textContent = text;
  hiding = setTimeout(() => { place.textContent = ""; place.className = ""; }, bad ? 12000 : 5000);
}
