//! What the programs take of the stack, as the verifier adds it up: old kernels count each function's
//! whole frame for all that is called from it, so that little things add up to a program refused.

use std::collections::HashMap;

use object::{Object, ObjectSection, ObjectSymbol, RelocationTarget, SectionIndex, SymbolKind};

use super::{OBJECT, OLD_OBJECT};

/// Bytes for a program and what it calls (`MAX_BPF_STACK`).
const LIMIT: u64 = 512;
/// A frame takes a multiple of it (Linux 5.10, `check_max_stack_depth`).
const GRAIN: u64 = 32;

/// The register that holds the frame's upper end.
const FRAME: u8 = 10;
const LOAD: u8 = 1;
const STORES: [u8; 2] = [2, 3];
const COPY: u8 = 0xbf;
const ADD: u8 = 0x07;
const CALL: u8 = 0x85;
/// In a call's source register: of a function of the object, not of the kernel.
const OWN: u8 = 1;

/// Where a function begins: its section, and the offset there.
type Place = (SectionIndex, u64);

struct Function {
    name: String,
    frame: u64,
    calls: Vec<Place>,
}

fn functions(object: &[u8]) -> HashMap<Place, Function> {
    let file = object::File::parse(object).unwrap();
    let texts = file
        .symbols()
        .filter(|symbol| symbol.kind() == SymbolKind::Text);
    texts
        .filter(|symbol| symbol.size() > 0)
        .map(|symbol| {
            let index = symbol.section_index().unwrap();
            let section = file.section_by_index(index).unwrap();
            let targets: HashMap<_, _> = section
                .relocations()
                .map(|(at, relocation)| (at, relocation.target()))
                .collect();
            let begin = symbol.address();
            let code = section.data().unwrap();
            let code = &code[begin as usize..(begin + symbol.size()) as usize];
            let mut function = Function {
                name: symbol.name().unwrap().to_owned(),
                frame: 0,
                calls: Vec::new(),
            };
            let mut copies = [false; 16];
            for (at, instruction) in (begin..).step_by(8).zip(code.as_chunks::<8>().0) {
                let &[operation, registers, low, high, ..] = instruction;
                let (to, from) = (registers & 15, registers >> 4);
                let offset = i64::from(i16::from_le_bytes([low, high]));
                let number = i64::from(i32::from_le_bytes(*instruction.last_chunk().unwrap()));
                let class = operation & 7;
                let lowest = match operation {
                    CALL if from == OWN => {
                        let (index, base) = match targets.get(&at) {
                            Some(RelocationTarget::Symbol(callee)) => {
                                let callee = file.symbol_by_index(*callee).unwrap();
                                (callee.section_index().unwrap(), callee.address())
                            }
                            _ => (index, at),
                        };
                        let place = base.wrapping_add_signed((number + 1) * 8);
                        function.calls.push((index, place));
                        0
                    }
                    COPY if from == FRAME => {
                        copies[usize::from(to)] = true;
                        0
                    }
                    ADD if std::mem::take(&mut copies[usize::from(to)]) => number,
                    _ if class == LOAD && from == FRAME => offset,
                    _ if STORES.contains(&class) && to == FRAME => offset,
                    _ => 0,
                };
                function.frame = function.frame.max(lowest.min(0).unsigned_abs());
            }
            ((index, begin), function)
        })
        .collect()
}

fn with_calls(functions: &HashMap<Place, Function>, place: Place) -> u64 {
    let function = &functions[&place];
    let calls = function.calls.iter();
    let deepest = calls.map(|&callee| with_calls(functions, callee)).max();
    function.frame.max(1).next_multiple_of(GRAIN) + deepest.unwrap_or(0)
}

#[test]
fn every_program_fits_with_all_that_it_calls() {
    for object in [OBJECT, OLD_OBJECT] {
        let functions = functions(object);
        for (&place, function) in &functions {
            let bytes = with_calls(&functions, place);
            assert!(bytes <= LIMIT, "{} takes {bytes} of {LIMIT}", function.name);
        }
    }
}

#[test]
fn frames_and_calls_are_seen() {
    let functions = functions(OLD_OBJECT);
    let exec = functions.iter().find(|(_, one)| one.name == "on_exec");
    let (&place, exec) = exec.unwrap();
    assert!(exec.frame > 200 && exec.calls.len() > 1);
    assert!(with_calls(&functions, place) > exec.frame + GRAIN);
}
