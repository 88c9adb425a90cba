//! A new file in `profiles` is in the binary at once: the macro that takes them in does not see it by itself.

fn main() {
    println!("cargo:rerun-if-changed=profiles");
}
