struct Till {
    int sum(int a, int b);
};
