//! Windows' own calls: Python's library, loaded by its path, and what ends after this process.

use std::ffi::{OsStr, OsString, c_int};
use std::io;
use std::os::windows::ffi::OsStrExt;
use std::os::windows::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::ptr::null_mut;

use windows_sys::Win32::Storage::FileSystem::{MOVEFILE_DELAY_UNTIL_REBOOT, MoveFileExW};
use windows_sys::Win32::System::Console::SetConsoleCtrlHandler;
use windows_sys::Win32::System::LibraryLoader::{
    GetProcAddress, LOAD_LIBRARY_SEARCH_DLL_LOAD_DIR, LOAD_LIBRARY_SEARCH_SYSTEM32, LoadLibraryExW,
};

use crate::Failure;
use crate::places::PYTHON;

/// Nothing of the environment, of the user or of the working folder; nothing written; and of paths
/// those alone that `python311._pth` names.
const OPTIONS: [&str; 2] = ["-IBS", "-c"];
const START: &str = "import sys
from endpoint_agent.cli import main
sys.exit(main())";

/// A window would be shown else.
const CREATE_NO_WINDOW: u32 = 0x0800_0000;

type PyMain = unsafe extern "C" fn(c_int, *mut *mut u16) -> c_int;

/// The exit status of the agent of a version, in this process.
pub fn run(version: &Path, words: &[OsString]) -> Result<i32, Failure> {
    let library = version.join(PYTHON);
    let failed = |error| Failure::io("load", &library, &error);
    let path = wide(library.as_os_str());
    let flags = LOAD_LIBRARY_SEARCH_DLL_LOAD_DIR | LOAD_LIBRARY_SEARCH_SYSTEM32;
    // SAFETY: the path ends in a zero, and the reserved handle is null.
    let module = unsafe { LoadLibraryExW(path.as_ptr(), null_mut(), flags) };
    if module.is_null() {
        return Err(failed(io::Error::last_os_error()));
    }
    // SAFETY: the name ends in a zero, and the library stays loaded.
    let function = unsafe { GetProcAddress(module, c"Py_Main".as_ptr().cast()) };
    let Some(function) = function else {
        return Err(failed(io::Error::last_os_error()));
    };
    // SAFETY: Python documents this function so.
    let main =
        unsafe { std::mem::transmute::<unsafe extern "system" fn() -> isize, PyMain>(function) };
    let own = std::env::current_exe().unwrap_or_default();
    let fixed = OPTIONS.into_iter().chain([START]).map(OsString::from);
    let mut texts: Vec<_> = std::iter::once(own.into_os_string())
        .chain(fixed)
        .chain(words.iter().cloned())
        .map(|word| wide(&word))
        .collect();
    let mut pointers: Vec<_> = texts.iter_mut().map(|text| text.as_mut_ptr()).collect();
    let count = c_int::try_from(pointers.len()).map_err(|_| Failure::new("too many words"))?;
    pointers.push(null_mut());
    // SAFETY: as many texts that end in zeros as are told, which outlive the call.
    Ok(unsafe { main(count, pointers.as_mut_ptr()) })
}

/// An interrupt at the keyboard reaches all; it is the child's to say what comes of it.
pub fn leave_interrupts_to_children() {
    unsafe extern "system" fn take(_: u32) -> i32 {
        1
    }
    // SAFETY: the function stays.
    unsafe { SetConsoleCtrlHandler(Some(take), 1) };
}

/// Has a folder removed once this process has ended, of which a program lies in it.
pub fn remove_later(folder: &Path) -> io::Result<()> {
    let shell = system_folder().join("cmd.exe");
    let folder_text = folder.to_string_lossy();
    let script = format!(
        "/d /q /c \"for /l %i in (1,1,20) do (rd /s /q \"{folder_text}\" 2>nul & \
         if not exist \"{folder_text}\" exit & ping -n 2 127.0.0.1 >nul)\""
    );
    // Should it not come to that, the next start of the host does it.
    remove_at_boot(folder);
    Command::new(shell)
        .raw_arg(script)
        .current_dir(system_folder())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .creation_flags(CREATE_NO_WINDOW)
        .spawn()
        .map(drop)
}

/// Has a folder removed at the next start of the host: before it, all that is in it.
fn remove_at_boot(path: &Path) {
    for entry in path.read_dir().into_iter().flatten().flatten() {
        remove_at_boot(&entry.path());
    }
    let name = wide(path.as_os_str());
    // SAFETY: the name ends in a zero; nothing takes its place.
    unsafe { MoveFileExW(name.as_ptr(), std::ptr::null(), MOVEFILE_DELAY_UNTIL_REBOOT) };
}

fn system_folder() -> std::path::PathBuf {
    use windows_sys::Win32::System::SystemInformation::GetSystemDirectoryW;
    let mut text = [0_u16; 300];
    // SAFETY: it writes at most as many units as it is told.
    let length = unsafe { GetSystemDirectoryW(text.as_mut_ptr(), text.len() as u32) } as usize;
    String::from_utf16_lossy(text.get(..length).unwrap_or_default()).into()
}

fn wide(text: &OsStr) -> Vec<u16> {
    text.encode_wide().chain([0]).collect()
}
