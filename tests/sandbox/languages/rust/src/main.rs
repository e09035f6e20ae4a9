fn main() {
    println!("{}", (1..=10).sum::<i32>());
}
