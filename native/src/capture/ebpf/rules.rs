//! The drop rules that the kernel decides: those of a program, a user, a folder, or several of these.
//!
//! What they drop reaches no ring and is counted in the kernel, by rule. The engine decides whatever
//! the kernel does not: a process without a verdict costs its events' way there, and no more.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use aya::maps::lpm_trie::{Key, LpmTrie};
use aya::maps::{Array, HashMap, MapData, MapError, PerCpuArray};

use super::load::Loaded;
use super::map_error;
use super::wire::{RuleState, Verdict};
use crate::enrich::users::Users;
use crate::error::Result;
use crate::event::Action;
use crate::filter::Rules;
use crate::filter::drops::{Plain, RuleNumber};
use crate::host::{clock, procfs};

/// `RULES_MAX`: a rule is a bit.
const MOST: usize = 64;
/// `RULE_ENTRIES_MAX`: of the maps of programs and users.
const ENTRIES: usize = 256;
/// `RULE_PROGRAM_MAX`: bytes of a path's components.
const PROGRAM: usize = 256;
/// `RULE_FOLDER_MAX`: bytes of a folder's components and one more NUL.
const FOLDER: usize = 128;
/// `BPF_NOEXIST`.
const ONLY_NEW: u64 = 1;
/// A program of the kernel side that was running ends within its own microseconds.
const GRACE: Duration = Duration::from_millis(20);

/// The maps, and what is in them.
pub struct KernelRules {
    states: Array<MapData, RuleState>,
    programs: HashMap<MapData, [u8; PROGRAM], u64>,
    users: HashMap<MapData, u32, u64>,
    folders: LpmTrie<MapData, [u8; FOLDER], u64>,
    /// What is in `folders`: some kernels write out of bounds where such a map is listed.
    installed: Vec<Folder>,
    verdicts: HashMap<MapData, u32, Verdict>,
    counts: PerCpuArray<MapData, u64>,
    /// What the kernel had counted for each bit at the last look; its counts only grow.
    seen: [u64; MOST],
    rules: Arc<Rules>,
    /// Which rule is which bit.
    bits: Vec<RuleNumber>,
    generation: u64,
    names: Users,
    root: PathBuf,
}

/// A folder as `struct rule_folder` has it: how many bytes count, and these.
type Folder = (usize, [u8; FOLDER]);

/// What the maps are to hold.
#[derive(Debug, Default, PartialEq, Eq)]
struct Content {
    state: RuleState,
    programs: Vec<([u8; PROGRAM], u64)>,
    users: Vec<(u32, u64)>,
    folders: Vec<(Folder, u64)>,
    bits: Vec<RuleNumber>,
}

impl KernelRules {
    /// Takes the maps over; there are no rules yet. `root`: where etc and proc are found.
    pub fn new(loaded: &mut Loaded, root: &Path) -> Result<Self> {
        Ok(Self {
            states: Array::try_from(loaded.take_map("rule_states")?).map_err(map_error)?,
            programs: HashMap::try_from(loaded.take_map("rule_programs")?).map_err(map_error)?,
            users: HashMap::try_from(loaded.take_map("rule_users")?).map_err(map_error)?,
            folders: LpmTrie::try_from(loaded.take_map("rule_folders")?).map_err(map_error)?,
            installed: Vec::new(),
            verdicts: HashMap::try_from(loaded.take_map("verdicts")?).map_err(map_error)?,
            counts: PerCpuArray::try_from(loaded.take_map("rule_counts")?).map_err(map_error)?,
            seen: [0; MOST],
            rules: Arc::default(),
            bits: Vec::new(),
            generation: 0,
            names: Users::new(root),
            root: root.into(),
        })
    }

    /// Puts other rules into force. What the kernel cannot be told, the engine decides.
    ///
    /// Returns what the rules before have dropped since the last [`KernelRules::take`].
    pub fn set(&mut self, rules: &Arc<Rules>) -> u64 {
        self.refresh_names();
        self.put_into_force(rules.clone())
    }

    /// Counts, rule by rule, what they have dropped since the last call; the sum.
    pub fn take(&mut self) -> u64 {
        if self.bits.is_empty() {
            return 0;
        }
        let dropped = self.count();
        if self.refresh_names() {
            return dropped + self.put_into_force(self.rules.clone());
        }
        dropped
    }

    fn refresh_names(&mut self) -> bool {
        let now = clock::read().wall(clock::boot_time());
        self.names.refresh(now)
    }

    fn put_into_force(&mut self, rules: Arc<Rules>) -> u64 {
        let mut dropped = self.retire();
        self.rules = rules.clone();
        let plain: Vec<_> = rules.drops.plain().collect();
        if let Some(content) = Content::new(&plain, &self.names) {
            // Half of them would be wrong: a map that refuses leaves all to the engine.
            if self.install(content).is_err() {
                dropped += self.retire();
            }
        }
        dropped
    }

    fn count(&mut self) -> u64 {
        let mut sum = 0;
        for (bit, &rule) in self.bits.iter().enumerate() {
            let Ok(counts) = self.counts.get(&(bit as u32), 0) else {
                continue;
            };
            let total: u64 = counts.iter().sum();
            let new = total.saturating_sub(std::mem::replace(&mut self.seen[bit], total));
            self.rules.drops.count(rule, new);
            sum += new;
        }
        sum
    }

    /// Takes the rules out of force and out of the maps.
    fn retire(&mut self) -> u64 {
        if self.bits.is_empty() {
            return 0;
        }
        let _ = self.states.set(0, RuleState::default(), 0);
        std::thread::sleep(GRACE);
        let dropped = self.count();
        self.bits.clear();
        empty(&mut self.programs);
        empty(&mut self.users);
        empty(&mut self.verdicts);
        for folder in self.installed.drain(..) {
            // As in `empty`.
            let _ = self.folders.remove(&key_of(&folder));
        }
        dropped
    }
}

impl KernelRules {
    fn install(&mut self, content: Content) -> std::result::Result<(), MapError> {
        self.bits = content.bits;
        for (program, rules) in &content.programs {
            self.programs.insert(program, rules, 0)?;
        }
        for (user, rules) in &content.users {
            self.users.insert(user, rules, 0)?;
        }
        for (folder, rules) in &content.folders {
            self.folders.insert(&key_of(folder), rules, 0)?;
            self.installed.push(*folder);
        }
        self.generation += 1;
        let state = RuleState {
            generation: self.generation,
            ..content.state
        };
        self.states.set(0, state, 0)?;
        if !content.programs.is_empty() {
            self.judge_present(&content.programs);
        }
        Ok(())
    }

    /// Gives the processes that are there their verdicts. From now on the kernel gives one at every
    /// exec, so a process that has one has become another program since /proc was read.
    fn judge_present(&mut self, programs: &[([u8; PROGRAM], u64)]) {
        for event in procfs::snapshot(&self.root) {
            let Action::Snapshot(exec) = &event.action else {
                continue;
            };
            let key = components(&exec.executable);
            let Some((_, rules)) = programs.iter().find(|(program, _)| Some(*program) == key)
            else {
                continue;
            };
            let verdict = Verdict {
                generation: self.generation,
                start: event.process.start,
                rules: *rules,
            };
            // A full or a settled entry: the engine decides, or the kernel has.
            let _ = self.verdicts.insert(event.process.pid, verdict, ONLY_NEW);
        }
    }
}

impl Content {
    /// What says the same as the rules; none if there are none that the kernel can decide.
    fn new(rules: &[Plain], names: &Users) -> Option<Self> {
        let mut content = Self::default();
        let (mut programs, mut users, mut folders) = (Vec::new(), Vec::new(), Vec::new());
        for rule in rules {
            let folder = rule.folder.map(|path| folder(path.as_bytes()));
            // What the map cannot hold, it cannot say no to.
            if folder == Some(None) {
                continue;
            }
            let paths = rule.programs.as_ref().map(|paths| {
                let keys = paths.iter().filter_map(|path| components(path.as_bytes()));
                keys.collect::<Vec<_>>()
            });
            let ids = rule.users(names);
            let count = |list: Option<usize>| list.unwrap_or(0);
            if content.bits.len() == MOST
                || programs.len() + count(paths.as_ref().map(Vec::len)) > ENTRIES
                || users.len() + count(ids.as_ref().map(Vec::len)) > ENTRIES
            {
                continue;
            }
            let bit = 1 << content.bits.len();
            content.bits.push(rule.number);
            match paths {
                None => content.state.any_program |= bit,
                Some(paths) => programs.extend(paths.into_iter().map(|path| (path, bit))),
            }
            match ids {
                None => content.state.any_user |= bit,
                Some(ids) => users.extend(ids.into_iter().map(|id| (id, bit))),
            }
            if let Some(folder) = folder.flatten() {
                content.state.of_folder |= bit;
                folders.push((folder, bit));
            }
        }
        content.programs = merged(programs, content.state.any_program);
        content.users = merged(users, content.state.any_user);
        content.folders = nested(merged(folders, 0));
        (!content.bits.is_empty()).then_some(content)
    }
}

/// Each key once, with the bits of all its entries and those of `every` key.
fn merged<K: Copy + Ord>(mut entries: Vec<(K, u64)>, every: u64) -> Vec<(K, u64)> {
    entries.sort_unstable();
    let mut merged: Vec<(K, u64)> = Vec::new();
    for (key, bits) in entries {
        match merged.last_mut() {
            Some((last, all)) if *last == key => *all |= bits,
            _ => merged.push((key, bits | every)),
        }
    }
    merged
}

/// An absolute path as the kernel walks it: its names from the last to the first, each ended by a
/// NUL. None if it is no such path, or too long.
fn components(path: &[u8]) -> Option<[u8; PROGRAM]> {
    let names = path.strip_prefix(b"/")?;
    let mut key = [0; PROGRAM];
    let mut at = 0;
    for name in names.rsplit(|&byte| byte == b'/') {
        if name.is_empty() || name.contains(&0) || at + name.len() >= PROGRAM {
            return None;
        }
        key[at..at + name.len()].copy_from_slice(name);
        at += name.len() + 1;
    }
    Some(key)
}

/// A folder's path, with the slash at its end: its components from the last byte to the first, and
/// the NUL of a name below. None if it is no such path, or too long, and of the root.
fn folder(path: &[u8]) -> Option<Folder> {
    let components = components(path.strip_suffix(b"/")?)?;
    // Each name has a NUL for the slash before it, and the last slash is the name's below.
    let size = path.len();
    if size > FOLDER {
        return None;
    }
    let mut key = [0; FOLDER];
    key[..size - 1].copy_from_slice(&components[..size - 1]);
    key[..size - 1].reverse();
    Some((size, key))
}

/// Each folder with the bits of those that it is below: the kernel finds the longest alone.
fn nested(folders: Vec<(Folder, u64)>) -> Vec<(Folder, u64)> {
    let above = |(size, key): Folder| {
        let above = folders.iter();
        let above = above.filter(move |((shorter, begin), _)| {
            *shorter <= size && begin[..*shorter] == key[..*shorter]
        });
        above.fold(0, |all, (_, bits)| all | bits)
    };
    let folders = folders.iter();
    let with_above = folders.map(|(folder, _)| (*folder, above(*folder)));
    with_above.collect()
}

fn key_of((size, reversed): &Folder) -> Key<[u8; FOLDER]> {
    Key::new(8 * *size as u32, *reversed)
}

fn empty<K: aya::Pod, V: aya::Pod>(map: &mut HashMap<MapData, K, V>) {
    let keys: Vec<K> = map.keys().filter_map(std::result::Result::ok).collect();
    for key in keys {
        // An entry that is gone already is what is wanted.
        let _ = map.remove(&key);
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Content, ENTRIES, FOLDER, Folder, MOST, PROGRAM, RuleState};
    use super::{components, folder, merged, nested};
    use crate::enrich::users::Users;
    use crate::filter::drops::{Drop, Drops, Filter, Operand, Operator, Plain};

    fn key(text: &[u8]) -> [u8; PROGRAM] {
        let mut key = [0; PROGRAM];
        key[..text.len()].copy_from_slice(text);
        key
    }

    #[test]
    fn a_path_is_turned_round_as_the_kernel_sends_it() {
        assert_eq!(components(b"/usr/bin/id"), Some(key(b"id\0bin\0usr\0")));
        assert_eq!(components(b"/init"), Some(key(b"init\0")));
        for odd in ["", "/", "init", "/usr//bin", "/usr/", "/usr\0bin"] {
            assert_eq!(components(odd.as_bytes()), None, "{odd}");
        }
        let name = |size| format!("/{}", "x".repeat(size));
        assert!(components(name(PROGRAM - 1).as_bytes()).is_some());
        assert_eq!(components(name(PROGRAM).as_bytes()), None);
    }

    /// What counts of a folder's key.
    fn counted((size, key): Folder) -> Vec<u8> {
        assert!(key[size..].iter().all(|&byte| byte == 0));
        key[..size].to_vec()
    }

    #[test]
    fn a_folder_is_what_all_below_it_end_with() {
        let found = folder(b"/some/dir/").map(counted);
        assert_eq!(found, Some(b"\0emos\0rid\0".to_vec()));
        let mut below = b"file\0dir\0some\0".to_vec();
        below.reverse();
        assert!(below.starts_with(&found.unwrap()));
        assert_eq!(folder(b"/x/").map(counted), Some(b"\0x\0".to_vec()));
        for odd in ["", "/", "//", "x/", "/x", "/x//", "//x/", "/x\0y/"] {
            assert_eq!(folder(odd.as_bytes()), None, "{odd}");
        }
        let name = |size| format!("/{}/", "x".repeat(size));
        assert!(folder(name(FOLDER - 2).as_bytes()).is_some());
        assert_eq!(folder(name(FOLDER - 1).as_bytes()), None);
    }

    #[test]
    fn entries_of_one_key_are_one() {
        let entries = vec![(7, 1), (3, 2), (7, 4)];
        assert_eq!(merged(entries, 8), [(3, 10), (7, 13)]);
    }

    #[test]
    fn a_folder_has_the_rules_of_those_it_is_below() {
        let paths = ["/a/", "/a/b/c/", "/ab/", "/a/b/", "/b/"];
        let folders = paths.iter().zip(0..);
        let folders = folders.map(|(path, bit)| (folder(path.as_bytes()).unwrap(), 1 << bit));
        let rules: Vec<u64> = nested(folders.collect()).iter().map(|it| it.1).collect();
        assert_eq!(rules, [0b00001, 0b01011, 0b00100, 0b01001, 0b10000]);
    }

    fn rule(filters: &[(&str, &[&str])]) -> Drop {
        let filters = filters.iter().map(|(field, values)| Filter {
            field: (*field).into(),
            operator: match *field {
                "file.path" => Operator::StartsWith,
                _ => Operator::Equal,
            },
            operands: values.iter().map(|&it| Operand::Text(it.into())).collect(),
        });
        Drop {
            uuid: String::new(),
            filters: filters.collect(),
        }
    }

    #[test]
    fn rules_become_bits_of_programs_and_users() {
        let drops = Drops::new(
            vec![
                rule(&[("process.executable", &["/a", "/b"])]),
                rule(&[("file.path", &["/x"])]),
                rule(&[
                    ("user.id", &["7", "unset", "007"]),
                    ("process.executable", &["/a"]),
                ]),
                rule(&[("user.name", &["root"])]),
                rule(&[("file.path", &["/x/"]), ("process.executable", &["/a"])]),
                rule(&[("file.path", &["/x/"]), ("process.name", &["a"])]),
                rule(&[("file.path", &["/x//"])]),
                rule(&[("file.path", &["/x/y/"])]),
            ],
            None,
        );
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("etc")).unwrap();
        std::fs::write(root.path().join("etc/passwd"), "root:x:0:0\nalso:x:0:0\n").unwrap();
        let mut names = Users::new(root.path());
        names.refresh(0);
        let plain: Vec<Plain> = drops.plain().collect();
        let content = Content::new(&plain, &names).unwrap();
        assert_eq!(content.bits.len(), 5);
        let expected = RuleState {
            generation: 0,
            any_program: 0b10100,
            any_user: 0b11001,
            of_folder: 0b11000,
        };
        assert_eq!(content.state, expected);
        assert_eq!(
            content.programs,
            [(key(b"a\0"), 0b11111), (key(b"b\0"), 0b10101)]
        );
        let users = [(0, 0b11101), (7, 0b11011), (u32::MAX, 0b11011)];
        assert_eq!(content.users, users);
        let folder = |path: &[u8]| folder(path).unwrap();
        let folders = [(folder(b"/x/"), 0b01000), (folder(b"/x/y/"), 0b11000)];
        assert_eq!(content.folders, folders);
        assert!(Content::new(&[], &names).is_none());
    }

    #[test]
    fn what_finds_no_room_is_left_to_the_engine() {
        let many: Vec<String> = (0..=ENTRIES).map(|n| format!("/{n}")).collect();
        let many: Vec<&str> = many.iter().map(|path| &**path).collect();
        let small = (0..MOST + 7).map(|_| rule(&[("user.id", &["7"])]));
        let rules = std::iter::once(rule(&[("process.executable", &many)])).chain(small);
        let drops = Drops::new(rules.collect(), None);
        let plain: Vec<Plain> = drops.plain().collect();
        let content = Content::new(&plain, &Users::new(Path::new("/nowhere"))).unwrap();
        assert_eq!(content.bits.len(), MOST);
        assert_eq!(content.bits[0], plain[1].number);
        assert_eq!(content.users, [(7, u64::MAX)]);
        assert_eq!(content.programs, []);
    }
}
