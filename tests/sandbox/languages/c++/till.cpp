#include "till.hpp"

int Till::sum(int a, int b) { return a + b; }
