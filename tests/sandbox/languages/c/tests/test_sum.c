#include <assert.h>
#include <stdio.h>

#include "helper.h"
#include "sum.h"

int main(void)
{
    printf("no line of its own");
    assert(sum(1, 2) == THREE && "wrong sum");
    helper();
}
