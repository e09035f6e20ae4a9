import test from "node:test";
test("is run as well", () => {});
