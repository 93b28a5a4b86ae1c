//! How the figures are shown, and whether what is aimed at is reached.

use std::sync::atomic::{AtomicBool, Ordering};

static MISSED: AtomicBool = AtomicBool::new(false);

pub fn heading(text: &str) {
    println!("\n{text}\n{}", "-".repeat(text.chars().count()));
}

/// One line: what it is, the figure, and what is aimed at or how it came about.
pub fn line(what: &str, figure: &str, remark: &str) {
    println!("{what:<52} {figure:>20}  {remark}");
}

/// A figure with an upper limit.
pub fn limit(what: &str, figure: f64, unit: &str, most: f64) {
    let verdict = verdict(figure <= most);
    line(what, &format!("{figure:.2}{unit}"), &format!("target at most {most}{unit}: {verdict}"));
}

/// One miss is enough for the whole run to fail.
pub fn verdict(met: bool) -> &'static str {
    if !met {
        MISSED.store(true, Ordering::Relaxed);
    }
    if met { "met" } else { "MISSED" }
}

pub fn all_met() -> bool {
    !MISSED.load(Ordering::Relaxed)
}
