//! Compiles the kernel programs with the clang inside the Python package `ziglang`, so that no
//! compiler has to be installed and the same object comes out everywhere.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

fn main() {
    println!("cargo::rerun-if-changed=../bpf");
    println!("cargo::rerun-if-env-changed=PYO3_PYTHON");
    if env::var("CARGO_CFG_TARGET_OS").is_ok_and(|target| target != "linux") {
        return;
    }
    let folder = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    build(&folder.join("agent.bpf.o"), &[]);
    build(&folder.join("agent-old.bpf.o"), &["-DOLD_KERNELS"]);
}

fn build(object: &Path, definitions: &[&str]) {
    compile(Path::new("../bpf/agent.bpf.c"), object, definitions);
    let stripped = strip(&fs::read(object).expect("the compiler wrote the object"));
    fs::write(object, stripped).expect("the output folder is writable");
}

fn compile(source: &Path, object: &Path, definitions: &[&str]) {
    let folder = env::current_dir().expect("cargo runs this in the crate's folder");
    let status = Command::new(python())
        .args([
            "-m",
            "ziglang",
            "cc",
            "-target",
            "bpfel-freestanding",
            "-mcpu=v3",
        ])
        .args([
            "-O2",
            "-g",
            "-fno-addrsig",
            "-fno-asynchronous-unwind-tables",
        ])
        // The sources' paths, which the types tell, are those below the project wherever that is.
        .arg(format!("-fdebug-prefix-map={}=native", folder.display()))
        .args(["-Wall", "-Wextra", "-Werror", "-c"])
        .args(definitions)
        .arg(source)
        .arg("-o")
        .arg(object)
        .status()
        .expect("the Python interpreter that was just asked runs");
    assert!(status.success(), "the kernel programs do not compile");
}

/// The first interpreter that has the compiler: the one the build names, then the environment's.
fn python() -> PathBuf {
    let environment = env::var_os("VIRTUAL_ENV").map(|path| Path::new(&path).join("bin/python"));
    let named = env::var_os("PYO3_PYTHON").map(PathBuf::from);
    let candidates = [
        named,
        environment,
        Some("../.venv/bin/python".into()),
        Some("python3".into()),
    ];
    candidates
        .into_iter()
        .flatten()
        .find(|python| {
            Command::new(python)
                .args(["-c", "import ziglang"])
                .output()
                .is_ok_and(|output| output.status.success())
        })
        .expect("the kernel programs need the Python package `ziglang`: run `make setup` first")
}

/// Removes what only debuggers read; BTF, which the loader needs, stays.
fn strip(object: &[u8]) -> Vec<u8> {
    let mut elf = object::build::elf::Builder::read(object).expect("the compiler writes ELF");
    for section in &mut elf.sections {
        let name = section.name.to_string();
        let target = name.trim_start_matches(".rel");
        section.delete = target.starts_with(".debug_") || target == ".eh_frame";
    }
    elf.delete_orphans();
    // The compiler keeps section names in the symbols' table; the writer wants them apart.
    let names = elf.sections.add();
    names.name = b".shstrtab".as_slice().into();
    names.sh_type = object::elf::SHT_STRTAB;
    names.data = object::build::elf::SectionData::SectionString;
    let mut stripped = Vec::new();
    elf.write(&mut stripped).expect("memory is writable");
    stripped
}
