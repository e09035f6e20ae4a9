package shop;
class Till {
    int sum(int a, int b) { return a + b; }
}
