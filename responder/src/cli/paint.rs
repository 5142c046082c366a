//! Colours, on a terminal that wants them.

use std::fmt::Display;
use std::io::IsTerminal;

/// Paints words or leaves them as they are.
#[derive(Debug, Clone, Copy)]
pub struct Paint {
    colours: bool,
}

impl Paint {
    /// For standard output: plain unless it is a terminal and `NO_COLOR` is unset or empty.
    pub fn stdout() -> Self {
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self { colours: !unwanted && std::io::stdout().is_terminal() }
    }

    /// Nowhere: for files and tests.
    #[cfg(test)]
    pub fn plain() -> Self {
        Self { colours: false }
    }

    /// As it should be.
    pub fn good(self, word: impl Display) -> String {
        self.paint("32", word)
    }

    /// As it should not be.
    pub fn bad(self, word: impl Display) -> String {
        self.paint("31", word)
    }

    /// Worth a look.
    pub fn notable(self, word: impl Display) -> String {
        self.paint("33", word)
    }

    /// A heading.
    pub fn strong(self, word: impl Display) -> String {
        self.paint("1", word)
    }

    fn paint(self, code: &str, word: impl Display) -> String {
        if self.colours { format!("\x1b[{code}m{word}\x1b[0m") } else { word.to_string() }
    }
}
