//! Records as the XML that Windows makes of them.

use super::Malformed;
use super::builder::Builder;
use super::value::Value;

/// Reads one event.
pub fn read(xml: &str, builder: &mut Builder) -> Result<(), Malformed> {
    let mut rest = xml;
    loop {
        let at = rest.find('<').ok_or(Malformed("its XML ends too early"))?;
        let (before, tag) = rest.split_at(at);
        text(before, builder)?;
        rest = if let Some(comment) = tag.strip_prefix("<!--") {
            until(comment, "-->")?.1
        } else if let Some(raw) = tag.strip_prefix("<![CDATA[") {
            let (raw, after) = until(raw, "]]>")?;
            builder.value(Value::Narrow(raw.as_bytes()));
            after
        } else if tag.starts_with("<?") || tag.starts_with("<!") {
            until(tag, ">")?.1
        } else if let Some(end) = tag.strip_prefix("</") {
            builder.close()?;
            until(end, ">")?.1
        } else {
            element(&tag[1..], builder)?
        };
        if builder.depth() == 0 && !rest.contains('<') {
            return Ok(());
        }
    }
}

/// The begin of an element, up to its end if it is empty. Gives what follows.
fn element<'a>(tag: &'a str, builder: &mut Builder) -> Result<&'a str, Malformed> {
    const ODD: Malformed = Malformed("its XML has an odd element");
    let is_end = |char: char| char.is_ascii_whitespace() || char == '/' || char == '>';
    let (name, mut rest) = tag.split_at(tag.find(is_end).ok_or(ODD)?);
    builder.open(name)?;
    loop {
        rest = rest.trim_ascii_start();
        if let Some(after) = rest.strip_prefix("/>") {
            builder.content();
            builder.close()?;
            return Ok(after);
        }
        if let Some(after) = rest.strip_prefix('>') {
            builder.content();
            return Ok(after);
        }
        let (name, value) = rest.split_once('=').ok_or(ODD)?;
        let value = value.trim_ascii_start();
        let quote = value.get(..1).filter(|it| ["'", "\""].contains(it));
        let quote = quote.ok_or(ODD)?;
        let (value, after) = until(&value[1..], quote)?;
        builder.attribute(name.trim_ascii());
        text(value, builder)?;
        rest = after;
    }
}

/// What is before a mark, and what is behind it.
fn until<'a>(text: &'a str, mark: &str) -> Result<(&'a str, &'a str), Malformed> {
    text.split_once(mark)
        .ok_or(Malformed("its XML ends too early"))
}

fn text(text: &str, builder: &mut Builder) -> Result<(), Malformed> {
    let mut rest = text;
    while let Some((plain, after)) = rest.split_once('&') {
        builder.value(Value::Narrow(plain.as_bytes()));
        let (name, after) = until(after, ";")?;
        let char = character(name).ok_or(Malformed("its XML has an unknown character"))?;
        builder.value(Value::Narrow(char.encode_utf8(&mut [0; 4]).as_bytes()));
        rest = after;
    }
    if !rest.is_empty() {
        builder.value(Value::Narrow(rest.as_bytes()));
    }
    Ok(())
}

fn character(name: &str) -> Option<char> {
    Some(match name {
        "lt" => '<',
        "gt" => '>',
        "amp" => '&',
        "quot" => '"',
        "apos" => '\'',
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix('x') {
                Some(digits) => u32::from_str_radix(digits, 16),
                None => number.parse(),
            };
            char::from_u32(code.ok()?)?
        }
    })
}

#[cfg(test)]
mod tests {
    use super::read;
    use crate::capture::eventlog::builder::Builder;
    use crate::event::LogRecord;

    fn record(xml: &str) -> Result<(Box<LogRecord>, Option<u64>), &'static str> {
        let mut builder = Builder::default();
        let read = read(xml, &mut builder);
        let taken = builder.take();
        read.map(|()| taken).map_err(|error| error.0)
    }

    #[test]
    fn an_event_is_a_record() {
        let (record, time) = record(concat!(
            "<?xml version='1.0'?><Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'>",
            "<!-- <Data> --><System><Provider Name='A &lt;&#x42;&#67;&gt;' Guid=\"{ab}\" />",
            "<EventID Qualifiers='0'>4624</EventID><Version>2</Version><Level>4</Level>",
            "<Keywords>0x8020000000000000</Keywords>",
            "<TimeCreated SystemTime='2021-12-16T10:25:32.3518358Z'/>",
            "<EventRecordID>77</EventRecordID><Correlation/><Execution ProcessID='4' ThreadID='8'/>",
            "<Channel>Security</Channel><Computer>h.example</Computer><Security UserID='S-1-5-18'/>",
            "</System>\r\n<EventData>\r\n<Data Name='one'>a &amp; \u{e9}&quot;</Data>",
            "<Data Name='empty'/><Data>x<![CDATA[<y> & ]]>z</Data><Data></Data></EventData></Event>\r\n",
        ))
        .unwrap();
        let expected = LogRecord {
            provider: "A <BC>".into(),
            provider_guid: "{AB}".into(),
            id: 4624,
            version: 2,
            level: 4,
            keywords: 0x8020_0000_0000_0000,
            number: 77,
            process: 4,
            thread: 8,
            channel: "Security".into(),
            computer: "h.example".into(),
            user: "S-1-5-18".into(),
            data: [
                ("one", "a & \u{e9}\""),
                ("empty", ""),
                ("param1", "x<y> & z"),
                ("param2", ""),
            ]
            .into_iter()
            .collect(),
            ..LogRecord::default()
        };
        assert_eq!(*record, expected);
        assert_eq!(time, Some(1_639_650_332_351_835_800));
    }

    #[test]
    fn what_is_no_xml_is_refused() {
        for (xml, why) in [
            ("", "its XML ends too early"),
            ("<Event>", "its XML ends too early"),
            ("<Event", "its XML has an odd element"),
            ("<Event a>", "its XML has an odd element"),
            ("<Event a=>", "its XML has an odd element"),
            ("<Event a=\u{e9}>", "its XML has an odd element"),
            ("<Event a='", "its XML ends too early"),
            ("<Event>&who;</Event>", "its XML has an unknown character"),
            (
                "<Event>&#xD800;</Event>",
                "its XML has an unknown character",
            ),
            ("<Event>&amp</Event>", "its XML ends too early"),
            ("</Event>", "an element ends that has not begun"),
            ("<!-- ", "its XML ends too early"),
        ] {
            assert_eq!(record(xml).unwrap_err(), why, "{xml}");
        }
        let deep = "<a>".repeat(100);
        assert_eq!(record(&deep).unwrap_err(), "its elements are too deep");
    }
}
