import assert from "node:assert/strict";
import { describe, it, test } from "node:test";
import { sum } from "../sum";
import { three } from "./helper";

test("sums", () => {
  assert.equal(sum(1, 2), three, "wrong sum");
});
describe("more", () => {
  it("waits", async () => {});
});
