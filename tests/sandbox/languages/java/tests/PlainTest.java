class PlainTest {
    public static void main(String[] words) {
        assert words.length == 0 : words[0];
    }
}
