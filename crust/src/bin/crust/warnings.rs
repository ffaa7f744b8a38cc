//! What the libraries warn of, told in sentences to whoever runs the command.

use std::fmt::{self, Debug};

use serde::Serialize;
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    Layer,
    filter::{LevelFilter, Targets},
    layer::{Context, SubscriberExt},
    util::SubscriberInitExt,
};

use crate::out;

/// Tells from now on what this project's crates warn of: on stderr, or as `events` among others on stdout.
pub(crate) fn tell(events: bool) {
    let ours = Targets::new().with_target("crust", LevelFilter::WARN);
    tracing_subscriber::registry()
        .with(ours)
        .with(Teller { events })
        .init();
}

struct Teller {
    events: bool,
}

impl<S: Subscriber> Layer<S> for Teller {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut sentence = Sentence::default();
        event.record(&mut sentence);
        let text = sentence.to_string();
        if self.events {
            out::json(&Warning {
                event: "warning",
                text: &text,
            });
        } else {
            out::warning(&text);
        }
    }
}

/// One line for programs.
#[derive(Debug, Serialize)]
struct Warning<'a> {
    event: &'static str,
    text: &'a str,
}

/// A warning's fixed phrase, what it is about in brackets, and the cause after a colon.
#[derive(Debug, Default)]
struct Sentence {
    phrase: String,
    about: Vec<String>,
    cause: Option<String>,
}

impl Visit for Sentence {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => self.phrase = value.into(),
            "error" => self.cause = Some(value.into()),
            // These say by themselves what they are.
            "flaw" | "path" => self.about.push(value.into()),
            "aside" => self.about.push(format!("now {value}")),
            name => self.about.push(format!("{name} {value}")),
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}

impl fmt::Display for Sentence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.phrase)?;
        if !self.about.is_empty() {
            write!(f, " ({})", self.about.join(", "))?;
        }
        match &self.cause {
            Some(cause) => write!(f, ": {cause}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentence_has_phrase_fields_and_cause() {
        let sentence = Sentence {
            phrase: "the port is taken".into(),
            about: vec!["port 5483".into(), "/a/path".into()],
            cause: Some("in use".into()),
        };
        let text = "the port is taken (port 5483, /a/path): in use";
        assert_eq!(sentence.to_string(), text);
    }
}
