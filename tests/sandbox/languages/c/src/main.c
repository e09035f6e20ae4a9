#include <stdio.h>

#include "sum.h"

int twice(int a) { return 2 * a; }

int main(void)
{
    printf("%d", sum(1, 2));
    return 0;
}
