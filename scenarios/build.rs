//! The scenario files are part of the library; a changed or added one makes a new build.

fn main() {
    println!("cargo::rerun-if-changed=files");
}
