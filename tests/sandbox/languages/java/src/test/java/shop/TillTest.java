package shop;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class TillTest {
    // @Test void inAComment() {}

    @Test
    @DisplayName("it; adds {")
    void sums() {
        System.out.print("no line of its own");
        assertEquals(3, new Till().sum(1, 2), "wrong sum");
    }

    @ParameterizedTest
    @CsvSource({"1,2,3", "2,2,4"})
    void sumsMany(int a, int b, int c) {
        assertEquals(c, new Till().sum(a, b));
    }

    @Nested
    class Inner {
        @Test
        void isFound() {}
    }

    public static void main(String[] words) {}
}
