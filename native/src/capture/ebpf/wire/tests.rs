//! The structs here against those the kernel programs were compiled with.

use std::collections::HashMap;

use object::{Object, ObjectSection};

use super::{LAYOUT, change, file, kind, mount, network, process, system, uring};
use crate::capture::ebpf::load;

/// A struct's size and its fields' offsets, as BTF tells them.
type Structs = HashMap<String, (usize, Vec<(String, usize)>)>;

/// Bytes that follow each kind of type in BTF: a fixed number, and one for each member.
/// (Linux, Documentation/bpf/btf.rst)
const TAILS: [(usize, usize); 20] = [
    (0, 0),
    (4, 0),
    (0, 0),
    (12, 0),
    (0, 12),
    (0, 12),
    (0, 8),
    (0, 0),
    (0, 0),
    (0, 0),
    (0, 0),
    (0, 0),
    (0, 0),
    (0, 8),
    (4, 0),
    (0, 12),
    (0, 0),
    (4, 0),
    (0, 0),
    (0, 12),
];
const STRUCT: usize = 4;

fn u32_at(bytes: &[u8], at: usize) -> usize {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize
}

fn text_at(strings: &[u8], at: usize) -> String {
    let text = strings[at..].split(|&byte| byte == 0).next().unwrap();
    String::from_utf8(text.to_vec()).unwrap()
}

fn structs() -> Structs {
    let file = object::File::parse(load::object()).unwrap();
    let btf = file.section_by_name(".BTF").unwrap().data().unwrap();
    let body = &btf[u32_at(btf, 4)..];
    let types = &body[u32_at(btf, 8)..][..u32_at(btf, 12)];
    let strings = &body[u32_at(btf, 16)..][..u32_at(btf, 20)];
    let mut found = Structs::new();
    let mut at = 0;
    while at < types.len() {
        let info = u32_at(types, at + 4);
        let (members, kind) = (info & 0xffff, info >> 24 & 0x1f);
        if kind == STRUCT {
            let fields = (0..members).map(|member| at + 12 + member * 12);
            let fields = fields
                .map(|field| {
                    (
                        text_at(strings, u32_at(types, field)),
                        u32_at(types, field + 8) / 8,
                    )
                })
                .collect();
            found.insert(
                text_at(strings, u32_at(types, at)),
                (u32_at(types, at + 8), fields),
            );
        }
        let (fixed, each) = TAILS[kind];
        at += 12 + fixed + members * each;
    }
    found
}

#[test]
fn every_struct_is_laid_out_as_the_kernel_programs_have_it() {
    let structs = structs();
    let layouts = [
        LAYOUT,
        process::LAYOUT,
        file::LAYOUT,
        change::LAYOUT,
        mount::LAYOUT,
        network::LAYOUT,
        system::LAYOUT,
        uring::LAYOUT,
    ];
    for (name, size, fields) in layouts.concat() {
        let (c_size, c_fields) = structs
            .get(name)
            .unwrap_or_else(|| panic!("no struct {name}"));
        let fields: Vec<_> = fields
            .iter()
            .map(|(name, offset)| ((*name).to_owned(), *offset))
            .collect();
        assert_eq!(size, *c_size, "size of {name}");
        assert_eq!(&fields, c_fields, "fields of {name}");
    }
}

#[test]
fn kinds_have_the_numbers_of_the_header() {
    let header = include_str!("../../../../../bpf/event.h");
    let body = header
        .split("enum event_kind {")
        .nth(1)
        .unwrap()
        .split("};")
        .next()
        .unwrap();
    let numbered = body.lines().filter_map(|line| {
        let (name, number) = line.trim().strip_prefix("EVENT_")?.split_once(" = ")?;
        Some((
            name.to_lowercase(),
            number.split(',').next()?.parse::<usize>().ok()?,
        ))
    });
    let numbered: Vec<_> = numbered.collect();
    for (name, number) in &numbered {
        assert_eq!(kind::NAMES[*number].replace(' ', "_"), *name);
    }
    let named = kind::NAMES.iter().filter(|&&name| name != "record");
    assert_eq!(named.count(), numbered.len());
}
