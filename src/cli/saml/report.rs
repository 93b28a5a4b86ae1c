use std::fmt::Display;
use std::time::Duration;

use crate::foundation::clock::Moment;
use crate::protocol::saml::redact::hidden;
use crate::protocol::saml::time;
use crate::telemetry::logs::one_line;

/// Columns of a label.
const WIDTH: usize = 18;
/// Characters of one value.
const LONGEST: usize = 400;

/// What is told, as text. What strangers wrote stays on its line and cannot steer a terminal.
pub struct Report {
    text: String,
    /// The present, or the moment that is asked about.
    pub at: Moment,
    pub shows_values: bool,
}

impl Report {
    pub fn new(at: Moment, shows_values: bool) -> Self {
        Self { text: String::new(), at, shows_values }
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn heading(&mut self, title: impl Display) {
        let between = if self.text.is_empty() { "" } else { "\n" };
        self.text.push_str(&format!("{between}{}\n", shown(&title.to_string())));
    }

    pub fn line(&mut self, label: &str, value: impl Display) {
        self.text.push_str(&format!("  {label:<WIDTH$} {}\n", shown(&value.to_string())));
    }

    /// A line, if there is a value.
    pub fn line_if(&mut self, label: &str, value: Option<impl Display>) {
        if let Some(value) = value {
            self.line(label, value);
        }
    }

    /// A line as it is, but for what would steer a terminal.
    pub fn verbatim(&mut self, line: &str) {
        self.text.push_str(&format!("  {}\n", one_line(line)));
    }

    pub fn fine(&mut self, what: impl Display) {
        self.text.push_str(&format!("  ✓ {}\n", shown(&what.to_string())));
    }

    pub fn warn(&mut self, what: impl Display) {
        self.text.push_str(&format!("  ! {}\n", shown(&what.to_string())));
    }

    pub fn wrong(&mut self, what: impl Display) {
        self.text.push_str(&format!("  ✗ {}\n", shown(&what.to_string())));
    }

    /// What only its owner should read: its length, and the domain of an address, unless values are asked for.
    pub fn personal(&self, value: &str) -> String {
        if self.shows_values { value.to_owned() } else { hidden(value) }
    }

    /// A moment as SAML writes it, and how far from the present it is.
    pub fn moment(&self, text: &str) -> String {
        match time::parse(text) {
            Ok(moment) => format!("{text} ({})", self.distance(moment)),
            Err(error) => format!("{text} ({error})"),
        }
    }

    /// As [`Report::moment`], of an end.
    pub fn until(&self, text: &str) -> String {
        match time::parse(text) {
            Ok(moment) if moment <= self.at => format!("{text} (expired {})", self.distance(moment)),
            Ok(_) => self.moment(text),
            Err(error) => format!("{text} ({error})"),
        }
    }

    pub fn distance(&self, moment: Moment) -> String {
        if moment <= self.at {
            format!("{} ago", span(self.at.since(moment)))
        } else {
            format!("in {}", span(moment.since(self.at)))
        }
    }
}

fn shown(text: &str) -> String {
    let text = one_line(text);
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.into_owned(),
    }
}

/// In the two largest units: `2 d 3 h`, `3 m`.
pub fn span(duration: Duration) -> String {
    let units = [(86_400, "d"), (3_600, "h"), (60, "m"), (1, "s")];
    let mut rest = duration.as_secs();
    let mut parts = Vec::new();
    for (seconds, unit) in units {
        if rest >= seconds && parts.len() < 2 {
            parts.push(format!("{} {unit}", rest / seconds));
            rest %= seconds;
        }
    }
    if parts.is_empty() { "0 s".to_owned() } else { parts.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_says_how_long_ago_and_lets_nobody_steer_the_terminal() {
        let mut report = Report::new(Moment::from_seconds(1_767_225_600), false);
        report.heading("Response");
        report.line("until", report.until("2025-12-31T23:57:00Z"));
        report.line("from", report.moment("2026-01-03T03:00:00Z"));
        report.line("found", "a\u{1b}[2Jb\nc");
        report.line("name", report.personal("ann@a.test"));
        assert_eq!(
            report.text(),
            "Response\n  until              2025-12-31T23:57:00Z (expired 3 m ago)\n  \
             from               2026-01-03T03:00:00Z (in 2 d 3 h)\n  \
             found              a\\u001b[2Jb\\nc\n  \
             name               [10 characters, at a.test]\n"
        );
    }
}
