//! What commands say. Where nobody reads on (`behalf check | head`) the rest goes unsaid, and the command does what it
//! was told; its exit code says what came of that.

use std::fmt::Arguments;
use std::io::{ErrorKind, Write, stderr, stdout};
use std::process::exit;

/// A line on standard output, written as for `println!`.
macro_rules! say {
    ($($text:tt)*) => { $crate::cli::said::out(format_args!("{}\n", format_args!($($text)*))) };
}

/// A line on standard error, written as for `eprintln!`.
macro_rules! complain {
    ($($text:tt)*) => { $crate::cli::said::err(format_args!("{}\n", format_args!($($text)*))) };
}

/// On standard output.
pub fn out(text: Arguments<'_>) {
    match stdout().lock().write_fmt(text) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            err(format_args!("behalf: standard output: {error}\n"));
            exit(1);
        }
        _ => {}
    }
}

/// On standard error: where even that fails there is nobody to be told.
pub fn err(text: Arguments<'_>) {
    let _ = stderr().lock().write_fmt(text);
}
