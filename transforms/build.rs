//! A new file of the project is a reason to compile the crate again: its files travel in the binary.

fn main() {
    for folder in ["staging", "intermediate", "marts", "metrics", "questions"] {
        println!("cargo:rerun-if-changed={folder}");
    }
}
