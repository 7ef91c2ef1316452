//! The words of the command line that concern the launcher; all else is the agent's to read.

use std::ffi::{OsStr, OsString};

/// The command that is meant, in today's or the original agent's spelling; none where there is no word.
pub fn command(words: &[OsString]) -> Option<String> {
    let before_end = words.iter().take_while(|word| *word != "--");
    let named = before_end
        .filter_map(|word| option(word))
        .find(|(name, _)| {
            matches!(
                name.as_str(),
                "install" | "update" | "uninstall" | "doctor" | "version" | "help"
            )
        });
    match named {
        Some((name, _)) => Some(name),
        None => words
            .first()
            .map(|word| word.to_string_lossy().into_owned()),
    }
}

/// Takes the intake's key out of the words: what they are without it, and the key that was given last.
///
/// Other users can read the command line of a child.
pub fn without_key(words: &[OsString]) -> (Vec<OsString>, Option<OsString>) {
    let mut kept = Vec::new();
    let mut key = None;
    let mut rest = words.iter();
    while let Some(word) = rest.next() {
        if word == "--" {
            kept.push(word.clone());
            kept.extend(rest.cloned());
            break;
        }
        match option(word) {
            Some((name, value)) if name == "intake-key" => {
                // Without a value the agent is to complain.
                match value.map(OsString::from).or_else(|| rest.next().cloned()) {
                    Some(value) => key = Some(value),
                    None => kept.push(word.clone()),
                }
            }
            _ => kept.push(word.clone()),
        }
    }
    (kept, key)
}

/// The name of an option, with `-` for `_`, and the value behind its `=`.
fn option(word: &OsStr) -> Option<(String, Option<String>)> {
    let text = word.to_str()?;
    let text = text.strip_prefix("--").or_else(|| text.strip_prefix('-'))?;
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name, Some(value.to_owned())),
        None => (text, None),
    };
    let is_name = name.len() > 1
        && name
            .chars()
            .all(|one| one.is_ascii_alphanumeric() || "-_".contains(one));
    is_name.then(|| (name.replace('_', "-"), value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<OsString> {
        text.split_whitespace().map(OsString::from).collect()
    }

    #[test]
    fn each_spelling_of_a_command_is_known() {
        for text in [
            "install",
            "-install -intake_key K",
            "--install",
            "--region fra1 -install",
        ] {
            assert_eq!(command(&words(text)).as_deref(), Some("install"), "{text}");
        }
        assert_eq!(
            command(&words("replay -- -install")).as_deref(),
            Some("replay")
        );
        assert_eq!(command(&words("")), None);
    }

    #[test]
    fn the_key_is_taken_out_in_each_spelling() {
        for text in [
            "install --intake-key K --region fra1",
            "install -intake_key=K --region fra1",
            "install --intake-key=K --region fra1",
            "install --intake-key other --intake-key K --region fra1",
        ] {
            let (kept, key) = without_key(&words(text));
            assert_eq!(kept, words("install --region fra1"), "{text}");
            assert_eq!(key, Some("K".into()), "{text}");
        }
    }

    #[test]
    fn other_words_stay() {
        for text in [
            "install --intake-key-file f",
            "replay -- --intake-key K",
            "install --intake-key",
        ] {
            assert_eq!(without_key(&words(text)), (words(text), None), "{text}");
        }
    }
}
