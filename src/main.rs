//! `behalf`: see `behalf --help`. Everything happens in [`behalf::cli`].
fn main() -> std::process::ExitCode {
    behalf::cli::main()
}
