//! Who may open a file or a folder of Windows.

use std::io;
use std::os::windows::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::ptr::{null, null_mut};

use windows_sys::Win32::Foundation::LocalFree;
use windows_sys::Win32::Security::Authorization::{
    ConvertSecurityDescriptorToStringSecurityDescriptorW,
    ConvertStringSecurityDescriptorToSecurityDescriptorW, GetNamedSecurityInfoW, SDDL_REVISION_1,
    SE_FILE_OBJECT, SetNamedSecurityInfoW,
};
use windows_sys::Win32::Security::{
    DACL_SECURITY_INFORMATION, GetSecurityDescriptorDacl, PROTECTED_DACL_SECURITY_INFORMATION,
    PSECURITY_DESCRIPTOR,
};
use windows_sys::Win32::System::Com::CoTaskMemFree;
use windows_sys::Win32::UI::Shell::{
    FOLDERID_ProgramFiles, FOLDERID_System, IsUserAnAdmin, SHGetKnownFolderPath,
};
use windows_sys::core::GUID;

/// Everything for the system and administrators and nothing for others; what lies in a folder inherits
/// it, and the folder inherits nothing.
const PRIVATE: &str = "D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)";

/// Lets the system and administrators alone open a file, or a folder and what lies in it.
pub fn make_private(path: &Path) -> io::Result<()> {
    let descriptor = Descriptor::parse(PRIVATE)?;
    let (mut is_there, mut is_default) = (0, 0);
    let mut list = null_mut();
    // SAFETY: the descriptor is a valid one, and the rest is writable.
    let done = unsafe {
        GetSecurityDescriptorDacl(
            descriptor.0,
            &raw mut is_there,
            &raw mut list,
            &raw mut is_default,
        )
    };
    if done == 0 {
        return Err(io::Error::last_os_error());
    }
    let name = wide(path);
    let what = DACL_SECURITY_INFORMATION | PROTECTED_DACL_SECURITY_INFORMATION;
    // SAFETY: the name ends in a zero, and the list lies in the descriptor, which outlives the call.
    checked(unsafe {
        SetNamedSecurityInfoW(
            name.as_ptr(),
            SE_FILE_OBJECT,
            what,
            null_mut(),
            null_mut(),
            list,
            null(),
        )
    })
}

/// Who may open a file or a folder, in the system's own language for it.
pub fn access(path: &Path) -> io::Result<String> {
    let name = wide(path);
    let mut descriptor = Descriptor(null_mut());
    // SAFETY: the name ends in a zero; of the parts that are not asked for nothing is written.
    checked(unsafe {
        GetNamedSecurityInfoW(
            name.as_ptr(),
            SE_FILE_OBJECT,
            DACL_SECURITY_INFORMATION,
            null_mut(),
            null_mut(),
            null_mut(),
            null_mut(),
            &raw mut descriptor.0,
        )
    })?;
    let mut text = null_mut();
    // SAFETY: the descriptor is a valid one; nobody asks for the length.
    let done = unsafe {
        ConvertSecurityDescriptorToStringSecurityDescriptorW(
            descriptor.0,
            SDDL_REVISION_1,
            DACL_SECURITY_INFORMATION,
            &raw mut text,
            null_mut(),
        )
    };
    if done == 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: a text of the system's that ends in a zero.
    let said = unsafe { text_at(text) };
    // SAFETY: it is the caller's to free.
    unsafe { LocalFree(text.cast()) };
    Ok(said)
}

/// `Program Files` and the system's folder, as the system knows them and not by variables that anybody
/// may set.
pub fn folders() -> io::Result<(PathBuf, PathBuf)> {
    Ok((
        known_folder(&FOLDERID_ProgramFiles)?,
        known_folder(&FOLDERID_System)?,
    ))
}

/// Whether this process has an administrator's rights, and not only the name of one.
pub fn is_administrator() -> bool {
    // SAFETY: it takes nothing.
    unsafe { IsUserAnAdmin() != 0 }
}

fn known_folder(id: &GUID) -> io::Result<PathBuf> {
    let mut text = null_mut();
    // SAFETY: `text` is writable, and the id a constant.
    let failed = unsafe { SHGetKnownFolderPath(id, 0, null_mut(), &raw mut text) };
    let path = if failed == 0 {
        // SAFETY: on success it is a text that ends in a zero.
        Ok(unsafe { text_at(text) }.into())
    } else {
        Err(io::Error::from_raw_os_error(failed))
    };
    // SAFETY: it is the caller's to free, also where it failed.
    unsafe { CoTaskMemFree(text.cast()) };
    path
}

/// # Safety
///
/// There is a text there, and it ends in a zero.
unsafe fn text_at(text: *const u16) -> String {
    // SAFETY: nothing behind the zero is read.
    let units = unsafe {
        let length = (0..).take_while(|&at| *text.add(at) != 0).count();
        std::slice::from_raw_parts(text, length)
    };
    String::from_utf16_lossy(units)
}

/// A security descriptor of the system's heap.
struct Descriptor(PSECURITY_DESCRIPTOR);

impl Descriptor {
    fn parse(text: &str) -> io::Result<Self> {
        let text: Vec<_> = text.encode_utf16().chain([0]).collect();
        let mut found = Self(null_mut());
        // SAFETY: the text ends in a zero; nobody asks for the size.
        let done = unsafe {
            ConvertStringSecurityDescriptorToSecurityDescriptorW(
                text.as_ptr(),
                SDDL_REVISION_1,
                &raw mut found.0,
                null_mut(),
            )
        };
        if done == 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(found)
    }
}

impl Drop for Descriptor {
    fn drop(&mut self) {
        // SAFETY: the system has allocated it for us, and nobody else frees it; null it takes, too.
        unsafe { LocalFree(self.0) };
    }
}

fn wide(path: &Path) -> Vec<u16> {
    path.as_os_str().encode_wide().chain([0]).collect()
}

fn checked(error: u32) -> io::Result<()> {
    if error == 0 {
        return Ok(());
    }
    Err(io::Error::from_raw_os_error(error.cast_signed()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_private_folder_is_for_the_system_and_administrators() {
        let folder = tempfile::tempdir().unwrap();
        make_private(folder.path()).unwrap();
        let said = access(folder.path()).unwrap();
        // Wine makes modes of Unix of it, and of those what it tells.
        assert!(said.contains("(A;OICI;FA;;;SY)"), "{said}");
        let is_wine = !said.contains("BA)");
        assert!(is_wine || said.matches("(A;").count() == 2, "{said}");
    }

    #[test]
    fn the_hosts_folders_are_known() {
        let (programs, system) = folders().unwrap();
        assert!(
            programs.is_dir() && system.is_dir(),
            "{programs:?} {system:?}"
        );
    }
}
