//! What is read of a channel of the event log, in the words of Windows.

use std::fmt::Write;

/// Conditions of one selection: Windows refuses one with more than some twenty.
const MAX_CONDITIONS: usize = 20;

/// A channel, and what is read of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// As `Security` or `Microsoft-Windows-Sysmon/Operational`.
    pub channel: String,
    /// Numbers of events, from and to; all events if there are none.
    pub ids: Vec<(u32, u32)>,
}

impl Query {
    /// The structured query, which names the channel itself.
    pub fn text(&self) -> String {
        let channel = escaped(&self.channel);
        let mut text = format!("<QueryList><Query Id=\"0\" Path=\"{channel}\">");
        let selections: Vec<String> = match self.ids.as_slice() {
            [] => vec!["*".into()],
            ids => ids.chunks(MAX_CONDITIONS).map(selection).collect(),
        };
        for selection in selections {
            // Writing to a string cannot fail.
            let _ = write!(text, "<Select Path=\"{channel}\">{selection}</Select>");
        }
        text + "</Query></QueryList>"
    }
}

fn selection(ids: &[(u32, u32)]) -> String {
    let conditions: Vec<String> = ids
        .iter()
        .map(|(from, to)| {
            if from == to {
                format!("EventID={from}")
            } else {
                format!("(EventID&gt;={from} and EventID&lt;={to})")
            }
        })
        .collect();
    format!("*[System[{}]]", conditions.join(" or "))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(channel: &str, ids: &[(u32, u32)]) -> String {
        Query {
            channel: channel.into(),
            ids: ids.into(),
        }
        .text()
    }

    #[test]
    fn a_channel_is_read_whole_or_by_numbers() {
        assert_eq!(
            of("System", &[]),
            "<QueryList><Query Id=\"0\" Path=\"System\"><Select Path=\"System\">*</Select></Query>\
             </QueryList>"
        );
        assert!(of("Security", &[(4624, 4624), (4720, 4767)]).contains(
            "*[System[EventID=4624 or (EventID&gt;=4720 and EventID&lt;=4767)]]</Select>"
        ));
    }

    #[test]
    fn many_numbers_are_many_selections() {
        let ids: Vec<_> = (1..=45).map(|id| (id, id)).collect();
        let text = of("Security", &ids);
        assert_eq!(text.matches("<Select ").count(), 3);
        assert_eq!(text.matches("EventID=").count(), 45);
    }

    #[test]
    fn a_name_cannot_end_its_place() {
        assert!(of("a\"><b>&", &[]).contains("Path=\"a&quot;&gt;&lt;b&gt;&amp;\""));
    }
}
