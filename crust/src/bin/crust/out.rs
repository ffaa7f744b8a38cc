//! What is printed: data on stdout, talk on stderr, colours only where somebody sees them.

use std::io::{ErrorKind, Write};

use anstyle::{AnsiColor, Style};
use serde::Serialize;

pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
pub(crate) const BAD: Style = AnsiColor::Red.on_default();
pub(crate) const DOUBTFUL: Style = AnsiColor::Yellow.on_default();
pub(crate) const KEY: Style = AnsiColor::Cyan.on_default();
pub(crate) const ALICE: Style = AnsiColor::Magenta.on_default();
pub(crate) const BOB: Style = AnsiColor::Blue.on_default();
pub(crate) const BOLD: Style = Style::new().bold();
pub(crate) const PLAIN: Style = Style::new();
pub(crate) const DIM: Style = Style::new().dimmed();

/// Prints a line of data.
pub(crate) fn line(text: impl AsRef<str>) {
    let mut stdout = anstream::stdout().lock();
    let written = writeln!(stdout, "{}", text.as_ref()).and_then(|()| stdout.flush());
    // `crust … | head`: nobody reads on, so there is nothing left to do.
    if written.is_err_and(|error| error.kind() == ErrorKind::BrokenPipe) {
        std::process::exit(0);
    }
}

/// Prints a line of talk.
pub(crate) fn talk(text: impl AsRef<str>) {
    // With stderr closed there is nobody to tell.
    let _ = writeln!(anstream::stderr(), "{}", text.as_ref());
}

/// Prints why the command fails.
pub(crate) fn failure(text: &str) {
    talk(format!("{}: {text}", paint(BAD.bold(), "error")));
}

/// Prints what whoever runs the command should know, though it goes on.
pub(crate) fn warning(text: &str) {
    talk(format!("{}: {text}", paint(DOUBTFUL.bold(), "warning")));
}

/// Prints one JSON object on a line of its own.
pub(crate) fn json(value: &impl Serialize) {
    line(serde_json::to_string(value).expect("the objects printed here are plain"));
}

/// `text` in a style.
pub(crate) fn paint(style: Style, text: impl std::fmt::Display) -> String {
    format!("{style}{text}{style:#}")
}
