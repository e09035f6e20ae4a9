const { describe, it, test } = require('node:test');
const assert = require('node:assert');
const { add } = require('../add');
/*
test('in a comment', () => {});
*/
test('adds # one', () => {
  assert.strictEqual(add(1, 2), 3, 'wrong sum');
});
describe('more', () => {
  it('doesn\'t mind', () => {});
});
