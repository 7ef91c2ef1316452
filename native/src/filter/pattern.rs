//! Texts that are looked for among many: whole, below a folder, or with `*` in them.

/// Whose pattern it is.
pub type Id = u16;

/// One text: `/etc/passwd`, `/etc/cron.d/` (the folder and all below it), or with one or two `*`
/// for any bytes, slashes included.
#[derive(Clone, Debug)]
pub struct Pattern {
    begin: Box<[u8]>,
    rest: Rest,
}

/// What follows the begin.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Rest {
    Nothing,
    /// Nothing, or a slash and anything.
    Below,
    /// Anything that has the first in it, and behind that ends in the second.
    Anything(Box<[u8]>, Box<[u8]>),
}

impl Pattern {
    /// A third `*` stands for itself.
    pub fn new(text: &str) -> Self {
        let (begin, rest) = match (text.split_once('*'), text.strip_suffix('/')) {
            (Some((begin, rest)), _) => {
                let (middle, end) = rest.split_once('*').unwrap_or(("", rest));
                (
                    begin,
                    Rest::Anything(middle.as_bytes().into(), end.as_bytes().into()),
                )
            }
            (None, Some(folder)) => (folder, Rest::Below),
            (None, None) => (text, Rest::Nothing),
        };
        Self {
            begin: begin.as_bytes().into(),
            rest,
        }
    }

    /// Whether it is in the whole text.
    pub fn matches(&self, text: &[u8]) -> bool {
        text.strip_prefix(&*self.begin)
            .is_some_and(|rest| self.rest.matches(rest))
    }
}

impl Rest {
    fn matches(&self, rest: &[u8]) -> bool {
        match self {
            Rest::Nothing => rest.is_empty(),
            Rest::Below => matches!(rest, [] | [b'/', ..]),
            Rest::Anything(middle, end) if middle.is_empty() => rest.ends_with(end),
            Rest::Anything(middle, end) => rest
                .windows(middle.len())
                .position(|window| *window == **middle)
                .is_some_and(|at| rest[at + middle.len()..].ends_with(end)),
        }
    }
}

/// Many patterns, of which those of a text are found by one binary search.
#[derive(Debug, Default)]
pub struct Patterns {
    /// In the order of their begins. All begins that a text begins with are on one chain: the last
    /// entry that is not behind the text, and what is `above` it.
    sorted: Vec<Entry>,
    /// Patterns that begin with the `*`.
    floating: Vec<(Pattern, Id)>,
}

#[derive(Debug)]
struct Entry {
    pattern: Pattern,
    id: Id,
    /// The nearest entry before this one whose begin this one begins with too.
    above: Option<usize>,
}

impl Patterns {
    /// Of patterns and whose they are.
    pub fn new<'a>(patterns: impl IntoIterator<Item = (&'a Pattern, Id)>) -> Self {
        let mut all: Vec<(&Pattern, Id)> = patterns.into_iter().collect();
        all.sort_by(|one, other| one.0.begin.cmp(&other.0.begin));
        let mut patterns = Self::default();
        for (pattern, id) in all {
            match pattern.rest {
                Rest::Anything(..) if pattern.begin.is_empty() => {
                    patterns.floating.push((pattern.clone(), id));
                }
                _ => patterns.push(pattern.clone(), id),
            }
        }
        patterns
    }

    fn push(&mut self, pattern: Pattern, id: Id) {
        let mut above = self.sorted.len().checked_sub(1);
        while let Some(at) = above
            && !pattern.begin.starts_with(&self.sorted[at].pattern.begin)
        {
            above = self.sorted[at].above;
        }
        self.sorted.push(Entry { pattern, id, above });
    }

    /// There are none.
    pub fn is_empty(&self) -> bool {
        self.sorted.is_empty() && self.floating.is_empty()
    }

    /// Tells whose patterns are in a text, some perhaps twice.
    pub fn find(&self, text: &[u8], found: &mut impl FnMut(Id)) {
        let behind = self
            .sorted
            .partition_point(|entry| *entry.pattern.begin <= *text);
        let mut at = behind.checked_sub(1);
        while let Some(entry) = at.map(|at| &self.sorted[at]) {
            if entry.pattern.matches(text) {
                found(entry.id);
            }
            at = entry.above;
        }
        for (pattern, id) in &self.floating {
            if pattern.matches(text) {
                found(*id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Pattern, Patterns};

    const PATTERNS: [&str; 12] = [
        "/etc/passwd",
        "/etc/cron.d/",
        "/etc/*.conf",
        "/etc/",
        "*/.ssh/authorized_keys",
        "/home/*/.bashrc",
        "/etc/cron.d/job",
        "python3*",
        "curl",
        "/etc/passwd",
        "/home/*/.config/*",
        "*b*b",
    ];

    fn found(text: &str) -> Vec<u16> {
        let patterns: Vec<Pattern> = PATTERNS.map(Pattern::new).into();
        let all = Patterns::new(patterns.iter().zip(0..));
        let mut found = Vec::new();
        all.find(text.as_bytes(), &mut |id| found.push(id));
        found.sort_unstable();
        let one_by_one = patterns.iter().zip(0..);
        let expected = one_by_one.filter(|(pattern, _)| pattern.matches(text.as_bytes()));
        assert_eq!(found, expected.map(|(_, id)| id).collect::<Vec<u16>>());
        found
    }

    #[test]
    fn finds_all_patterns_of_a_text() {
        assert_eq!(found("/etc/passwd"), [0, 3, 9]);
        assert_eq!(found("/etc/cron.d"), [1, 3]);
        assert_eq!(found("/etc/cron.d/job"), [1, 3, 6]);
        assert_eq!(found("/etc/cron.d/job/below"), [1, 3]);
        assert_eq!(found("/etc/cron.daily/job"), [3]);
        assert_eq!(found("/etc/ld.so.conf"), [2, 3]);
        assert_eq!(found("/etc"), [3]);
        assert_eq!(found("/etcetera"), [0_u16; 0]);
        assert_eq!(found("/root/.ssh/authorized_keys"), [4]);
        assert_eq!(found("/home/john/.bashrc"), [5]);
        assert_eq!(found("/home/.bashrc"), [0_u16; 0]);
        assert_eq!(found("/home/john/.config/x"), [10]);
        assert_eq!(found("bab"), [11]);
        assert_eq!(found("b"), [0_u16; 0]);
        assert_eq!(found("python3.11"), [7]);
        assert_eq!(found("curl"), [8]);
        assert_eq!(found("curl2"), [0_u16; 0]);
        assert_eq!(found(""), [0_u16; 0]);
    }

    #[test]
    fn a_star_alone_is_in_every_text() {
        let all = Patterns::new([(&Pattern::new("*"), 7)]);
        for text in [&b""[..], b"x", b"\xff"] {
            let mut found = Vec::new();
            all.find(text, &mut |id| found.push(id));
            assert_eq!(found, [7]);
        }
    }
}
