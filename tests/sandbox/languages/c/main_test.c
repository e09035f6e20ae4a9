#include <stdlib.h>

#include "src/sum.c"

int twice(int);

int main(int count, char **words)
{
    exit(twice(sum(1, 1)) == 4 && count == 1 && words[0] ? EXIT_SUCCESS : EXIT_FAILURE);
}
