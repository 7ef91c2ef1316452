//! How a value of an event compares with one of a rule.

use super::record::Value;

/// A value of a rule.
#[derive(Clone, Debug, PartialEq)]
pub enum Operand {
    /// A text.
    Text(String),
    /// A number.
    Number(f64),
    /// True or false.
    Boolean(bool),
}

/// How values compare. Texts do so by their bytes, and with numbers as what they spell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // the words say it
pub enum Operator {
    Equal,
    NotEqual,
    Contains,
    NotContains,
    StartsWith,
    Less,
    AtMost,
    Greater,
    AtLeast,
}

impl Operator {
    /// It holds for what is not there.
    pub fn is_negative(self) -> bool {
        matches!(self, Operator::NotEqual | Operator::NotContains)
    }

    /// Compares without the negation.
    pub fn compare(self, value: &Value, operand: &Operand) -> bool {
        match (self, value, operand) {
            (
                Operator::Contains | Operator::NotContains,
                Value::Text(text),
                Operand::Text(part),
            ) => contains(text, part.as_bytes()),
            (Operator::StartsWith, Value::Text(text), Operand::Text(part)) => {
                !part.is_empty() && text.starts_with(part.as_bytes())
            }
            (Operator::Equal | Operator::NotEqual, Value::Text(text), Operand::Text(other)) => {
                **text == *other.as_bytes()
            }
            (Operator::Equal | Operator::NotEqual, Value::Boolean(it), Operand::Boolean(other)) => {
                it == other
            }
            (_, Value::Number(number), Operand::Number(other)) => {
                self.compare_numbers(*number, *other)
            }
            (_, Value::Text(text), Operand::Number(other)) => {
                let number = str::from_utf8(text).ok().and_then(|text| text.parse().ok());
                number.is_some_and(|number| self.compare_numbers(number, *other))
            }
            _ => false,
        }
    }

    fn compare_numbers(self, number: f64, other: f64) -> bool {
        match self {
            Operator::Equal | Operator::NotEqual => number == other,
            Operator::Less => number < other,
            Operator::AtMost => number <= other,
            Operator::Greater => number > other,
            Operator::AtLeast => number >= other,
            Operator::Contains | Operator::NotContains | Operator::StartsWith => false,
        }
    }
}

/// Whether a part is in a text. Parts are never empty.
pub fn contains(text: &[u8], part: &[u8]) -> bool {
    !part.is_empty() && text.windows(part.len()).any(|window| window == part)
}
