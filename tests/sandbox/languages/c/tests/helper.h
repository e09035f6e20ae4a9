#define THREE 3
void helper(void);
