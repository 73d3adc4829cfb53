//! An error with its causes, as one line of text. Pure.

use std::error::Error;

/// Describes an error with its causes. A cause that the text before already
/// ends with is not said twice.
#[must_use]
pub fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{text}")]
    struct Layer {
        text: &'static str,
        source: Option<Box<Self>>,
    }

    #[test]
    fn each_cause_is_said_once() {
        let inner = Layer { text: "disk full", source: None };
        let middle = Layer { text: "write failed: disk full", source: Some(Box::new(inner)) };
        let outer = Layer { text: "deploy failed", source: Some(Box::new(middle)) };
        assert_eq!(with_causes(&outer), "deploy failed: write failed: disk full");
    }
}
