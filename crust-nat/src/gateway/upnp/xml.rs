//! XML within bounds.

use roxmltree::{Document, ParsingOptions};

use super::answer_error::AnswerError;

/// Reads a document: without a DTD, and so without entities of its own.
pub(crate) fn parse(text: &str) -> Result<Document<'_>, AnswerError> {
    let options = ParsingOptions {
        allow_dtd: false,
        nodes_limit: MAX_NODES,
        ..ParsingOptions::default()
    };
    Document::parse_with_options(text, options).map_err(|_| AnswerError::Xml)
}

/// Text in an element.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            // XML 1.0 has no way to write them.
            control if control.is_control() => {}
            other => escaped.push(other),
        }
    }
    escaped
}

/// The description of a router with all its services has some 200.
const MAX_NODES: u32 = 4_096;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn entities_and_excess_are_refused() {
        let bomb = "<!DOCTYPE a [<!ENTITY b \"bb\">]><a>&b;</a>";
        assert_eq!(parse(bomb).err(), Some(AnswerError::Xml));
        let many = format!("<a>{}</a>", "<b/>".repeat(5_000));
        assert_eq!(parse(&many).err(), Some(AnswerError::Xml));
    }

    #[test]
    fn deep_nesting_overflows_no_stack() {
        let deep = format!("{}{}", "<a>".repeat(4_000), "</a>".repeat(4_000));
        assert!(parse(&deep).is_ok());
        assert!(parse(&"<a>".repeat(20_000)).is_err());
    }

    proptest! {
        #[test]
        fn escaped_text_is_read_as_it_was(text in "[^\\p{Cc}\u{fffe}\u{ffff}]*") {
            let document = format!("<a>{}</a>", escape(&text));
            let document = parse(&document).unwrap();
            prop_assert_eq!(document.root_element().text().unwrap_or_default(), text);
        }
    }
}
