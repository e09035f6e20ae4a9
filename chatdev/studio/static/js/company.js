import { h, replace } from "./dom.js";
export async function companiesPage(place) { replace(place, h("h1", {}, "Companies")); }
export async function companyPage(place) { replace(place, h("h1", {}, "Company")); }
