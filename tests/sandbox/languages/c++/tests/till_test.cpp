#include <cstdlib>
#include <stdexcept>

#include "../till.hpp"

int main()
{
    if (Till().sum(1, 2) != 3)
        throw std::runtime_error("wrong sum");
    std::exit(EXIT_SUCCESS);
}
