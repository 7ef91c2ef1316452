//! What is asked for through io_uring.

use super::{Header, Name};

wire! {
    /// What a process asked for.
    struct Request = "event_request" {
        header: Header,
        request: u64,
        from: Name,
        to: Name,
        operation: u32,
        details: u32,
        unanswered: u32,
        reserved: u32,
    }

    /// What became of it.
    struct Answer = "event_answer" {
        header: Header,
        request: u64,
        result: i32,
        reserved: u32,
    }
}
