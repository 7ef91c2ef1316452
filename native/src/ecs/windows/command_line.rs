//! Command lines of Windows, split as `CommandLineToArgvW` does it, which most programs go by.

/// The arguments of a command line, the program first.
pub fn split(line: &str) -> Vec<String> {
    let line = line.trim_start_matches(BLANKS);
    let mut arguments = Vec::new();
    if line.is_empty() {
        return arguments;
    }
    // No backslash means anything in the name of the program.
    let (program, mut rest) = match line.strip_prefix('"') {
        Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
        None => line.split_at(line.find(BLANKS).unwrap_or(line.len())),
    };
    arguments.push(program.to_owned());
    loop {
        rest = rest.trim_start_matches(BLANKS);
        if rest.is_empty() {
            return arguments;
        }
        let (argument, end) = first(rest);
        arguments.push(argument);
        rest = &rest[end..];
    }
}

const BLANKS: [char; 2] = [' ', '\t'];

/// The argument at the begin of a line, and where it ends.
fn first(line: &str) -> (String, usize) {
    let mut argument = String::new();
    // Backslashes just before this place, and quotes that are open; a third one in a row is text.
    let (mut slashes, mut quotes) = (0_usize, 0_u8);
    let mut rest = line.char_indices().peekable();
    while let Some((at, char)) = rest.next() {
        match char {
            ' ' | '\t' if quotes == 0 => return (argument, at),
            '\\' => {
                slashes += 1;
                argument.push('\\');
                continue;
            }
            '"' => {
                // Before a quote two backslashes stand for one, and a last one makes it text.
                argument.truncate(argument.len() - slashes.div_ceil(2));
                if slashes % 2 == 1 {
                    argument.push('"');
                } else {
                    quotes += 1;
                }
                while rest.next_if(|&(_, next)| next == '"').is_some() {
                    quotes += 1;
                    if quotes == 3 {
                        argument.push('"');
                        quotes = 0;
                    }
                }
                quotes %= 2;
            }
            _ => argument.push(char),
        }
        slashes = 0;
    }
    (argument, line.len())
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn splits_as_windows_does() {
        for (line, arguments) in [
            ("", &[][..]),
            (" \t", &[]),
            ("cmd.exe", &["cmd.exe"]),
            (
                "powershell  -File a.ps1 ",
                &["powershell", "-File", "a.ps1"],
            ),
            (
                r#""C:\Program Files\a.exe" b"#,
                &[r"C:\Program Files\a.exe", "b"],
            ),
            (r#""C:\a\" b"#, &[r"C:\a\", "b"]),
            (r#""never closed b"#, &["never closed b"]),
            (r#"a "" b"#, &["a", "", "b"]),
            (r#"a "b c"d e"#, &["a", "b cd", "e"]),
            (r"a b\c\\d", &["a", r"b\c\\d"]),
            (r#"a \"b c\" d"#, &["a", r#""b"#, r#"c""#, "d"]),
            (r#"a "b\\" c"#, &["a", r"b\", "c"]),
            (r#"a "b\\\" c" d"#, &["a", r#"b\" c"#, "d"]),
            (r#"a "b"" c"#, &["a", r#"b""#, "c"]),
            (r#"a "b""" c"#, &["a", r#"b" c"#]),
            (r#"a """b"#, &["a", r#""b"#]),
            ("a \u{e9}\t\u{1f600}", &["a", "\u{e9}", "\u{1f600}"]),
        ] {
            assert_eq!(split(line), arguments, "{line}");
        }
    }
}
