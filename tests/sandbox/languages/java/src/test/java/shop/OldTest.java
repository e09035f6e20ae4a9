package shop;

import org.junit.Test;

public class OldTest {
    @Test(expected = IllegalStateException.class)
    public void sums() {
        throw new IllegalStateException();
    }
}
