#[test]
fn sums() {
    assert_eq!(hello::add(1, 2), 3, "wrong sum");
}
