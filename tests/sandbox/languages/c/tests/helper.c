void helper(void) {}  /* it has no main() */
