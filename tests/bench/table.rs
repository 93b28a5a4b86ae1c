//! How the figures are shown.

pub fn heading(text: &str) {
    println!("\n{text}\n{}", "-".repeat(text.chars().count()));
}

/// One line: what it is, the figure, and what is aimed at or how it came about.
pub fn line(what: &str, figure: &str, remark: &str) {
    println!("{what:<52} {figure:>20}  {remark}");
}

/// A figure with an upper limit.
pub fn limit(what: &str, figure: f64, unit: &str, most: f64) {
    let verdict = if figure <= most { "met" } else { "MISSED" };
    line(what, &format!("{figure:.2}{unit}"), &format!("target at most {most}{unit}: {verdict}"));
}
