#include <iostream>

#include "till.hpp"

int main() { std::cout << Till().sum(1, 2); }
