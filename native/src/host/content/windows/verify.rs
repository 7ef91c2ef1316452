//! What Windows says of a file's signature: of the one in the file, or else of a catalog of this host that
//! has the file's digest. Nobody is asked over the network, so a certificate that was revoked is taken
//! for a good one.

use std::fs::File;
use std::io::Seek;
use std::os::windows::io::AsRawHandle;
use std::ptr::{null, null_mut};

use windows_sys::Win32::Foundation::{
    CRYPT_E_FILE_ERROR, HANDLE, INVALID_HANDLE_VALUE, TRUST_E_NOSIGNATURE,
    TRUST_E_PROVIDER_UNKNOWN, TRUST_E_SUBJECT_FORM_UNKNOWN,
};
use windows_sys::Win32::Security::Cryptography::Catalog::{
    CATALOG_INFO, CryptCATAdminAcquireContext, CryptCATAdminAcquireContext2,
    CryptCATAdminCalcHashFromFileHandle, CryptCATAdminCalcHashFromFileHandle2,
    CryptCATAdminEnumCatalogFromHash, CryptCATAdminReleaseCatalogContext,
    CryptCATAdminReleaseContext, CryptCATCatalogInfoFromContext,
};
use windows_sys::Win32::Security::Cryptography::{
    CERT_NAME_SIMPLE_DISPLAY_TYPE, CertGetNameStringW,
};
use windows_sys::Win32::Security::WinTrust::{
    DRIVER_ACTION_VERIFY, WINTRUST_ACTION_GENERIC_VERIFY_V2, WINTRUST_CATALOG_INFO, WINTRUST_DATA,
    WINTRUST_DATA_0, WINTRUST_FILE_INFO, WTD_CACHE_ONLY_URL_RETRIEVAL, WTD_CHOICE_CATALOG,
    WTD_CHOICE_FILE, WTD_REVOKE_NONE, WTD_STATEACTION_CLOSE, WTD_STATEACTION_VERIFY, WTD_UI_NONE,
    WTHelperGetProvCertFromChain, WTHelperGetProvSignerFromChain, WTHelperProvDataFromStateData,
    WinVerifyTrust,
};

use crate::event::Signature;

/// Units of the name of a signer.
const MAX_NAME: usize = 512;
/// `FACILITY_SSPI` and `FACILITY_CERT`, which errors of signatures are of.
const FACILITIES: [u32; 2] = [9, 11];
/// Bytes of the longest digest.
const MAX_DIGEST: usize = 64;

fn wide(text: &str) -> Vec<u16> {
    text.encode_utf16().chain([0]).collect()
}

/// Whoever reads it next begins at its begin.
fn rewind(mut file: &File) {
    // If not, no digest is the right one.
    let _ = file.rewind();
}

/// The signature of a file that was opened for reading. `path`: its path.
pub fn signature(file: &File, path: &str) -> Signature {
    let path = wide(path);
    rewind(file);
    let mut subject = WINTRUST_FILE_INFO {
        cbStruct: size_of::<WINTRUST_FILE_INFO>() as u32,
        pcwszFilePath: path.as_ptr(),
        hFile: file.as_raw_handle(),
        pgKnownSubject: null_mut(),
    };
    let pointer = WINTRUST_DATA_0 {
        pFile: &raw mut subject,
    };
    // SAFETY: the subject, its path and the file live through the call.
    match unsafe { verified(WTD_CHOICE_FILE, pointer) } {
        Signature::Missing => in_catalog(file, &path),
        found => found,
    }
}

/// Asks about a subject of a kind.
///
/// # Safety
///
/// The subject is one of that kind, and it and what it points to live through the call.
unsafe fn verified(choice: u32, subject: WINTRUST_DATA_0) -> Signature {
    let mut data = WINTRUST_DATA {
        cbStruct: size_of::<WINTRUST_DATA>() as u32,
        dwUIChoice: WTD_UI_NONE,
        fdwRevocationChecks: WTD_REVOKE_NONE,
        dwUnionChoice: choice,
        Anonymous: subject,
        dwStateAction: WTD_STATEACTION_VERIFY,
        dwProvFlags: WTD_CACHE_ONLY_URL_RETRIEVAL,
        ..WINTRUST_DATA::default()
    };
    let mut action = WINTRUST_ACTION_GENERIC_VERIFY_V2;
    let window = INVALID_HANDLE_VALUE; // nobody is asked
    // SAFETY: both structs live through the calls; what Windows keeps between them is given back.
    let (status, subject) = unsafe {
        let status = WinVerifyTrust(window, &raw mut action, (&raw mut data).cast());
        let subject = signer(data.hWVTStateData);
        data.dwStateAction = WTD_STATEACTION_CLOSE;
        WinVerifyTrust(window, &raw mut action, (&raw mut data).cast());
        (status, subject)
    };
    told(status, subject)
}

/// What a status of Windows means, with the name of the first signer, if it has seen one.
fn told(status: i32, signer: Option<String>) -> Signature {
    let facility = status.cast_unsigned() >> 16 & 0x1fff;
    let is_of_signatures = FACILITIES.contains(&facility) && status != CRYPT_E_FILE_ERROR;
    match status {
        TRUST_E_NOSIGNATURE | TRUST_E_SUBJECT_FORM_UNKNOWN | TRUST_E_PROVIDER_UNKNOWN => {
            Signature::Missing
        }
        // It got no further, as without memory.
        _ if status != 0 && signer.is_none() && !is_of_signatures => Signature::Unknown,
        status => Signature::Present {
            subject: signer.unwrap_or_default(),
            status: status.cast_unsigned(),
        },
    }
}

/// The name of the first signer, or nothing of one without; none if there is no signer.
///
/// # Safety
///
/// `state` is what `WinVerifyTrust` has given and not yet closed, or null.
unsafe fn signer(state: HANDLE) -> Option<String> {
    let mut name = [0; MAX_NAME];
    // SAFETY: each is given what the one before gave, which lives until the state is closed; the name has
    // the room that is told.
    let size = unsafe {
        if state.is_null() {
            return None;
        }
        let data = WTHelperProvDataFromStateData(state);
        if data.is_null() {
            return None;
        }
        let signer = WTHelperGetProvSignerFromChain(data, 0, 0, 0);
        if signer.is_null() {
            return None;
        }
        let certificate = WTHelperGetProvCertFromChain(signer, 0);
        if certificate.is_null() || (*certificate).pCert.is_null() {
            return None;
        }
        CertGetNameStringW(
            (*certificate).pCert,
            CERT_NAME_SIMPLE_DISPLAY_TYPE,
            0,
            null(),
            name.as_mut_ptr(),
            MAX_NAME as u32,
        )
    };
    // It counts the NUL.
    let size = (size as usize).clamp(1, MAX_NAME) - 1;
    Some(String::from_utf16_lossy(&name[..size]))
}

/// The catalogs of the system's programs and of drivers.
struct Catalogs {
    handle: isize,
    is_newer: bool,
}

impl Catalogs {
    /// By files' SHA-256, or else by SHA-1, as older ones have it.
    fn open(is_newer: bool) -> Option<Self> {
        let mut handle = 0;
        let algorithm = wide("SHA256");
        let system = DRIVER_ACTION_VERIFY;
        let system = &raw const system;
        // SAFETY: the handle, the GUID and the name live through the call.
        let done = unsafe {
            if is_newer {
                let algorithm = algorithm.as_ptr();
                CryptCATAdminAcquireContext2(&raw mut handle, system, algorithm, null(), 0)
            } else {
                CryptCATAdminAcquireContext(&raw mut handle, system, 0)
            }
        };
        (done != 0).then_some(Self { handle, is_newer })
    }

    /// The digest by which the catalogs know a file.
    fn digest(&self, file: &File) -> Option<Vec<u8>> {
        rewind(file);
        let file = file.as_raw_handle();
        let mut digest = vec![0; MAX_DIGEST];
        let (mut size, bytes) = (MAX_DIGEST as u32, digest.as_mut_ptr());
        // SAFETY: the file is open, and the digest has the room that is told.
        let done = unsafe {
            if self.is_newer {
                let (handle, size) = (self.handle, &raw mut size);
                CryptCATAdminCalcHashFromFileHandle2(handle, file, size, bytes, 0)
            } else {
                CryptCATAdminCalcHashFromFileHandle(file, &raw mut size, bytes, 0)
            }
        };
        digest.truncate(size as usize);
        (done != 0).then_some(digest)
    }

    /// What the first catalog that has a digest says of the file. `path`: with a NUL at its end.
    fn ask(&self, file: &File, path: &[u16], digest: &mut [u8]) -> Signature {
        let mut known = CATALOG_INFO {
            cbStruct: size_of::<CATALOG_INFO>() as u32,
            ..CATALOG_INFO::default()
        };
        // SAFETY: the digest has the size that is told, what is known has room, and the catalog is let go.
        let is_known = unsafe {
            let (bytes, size) = (digest.as_ptr(), digest.len() as u32);
            let first = null_mut();
            let catalog = CryptCATAdminEnumCatalogFromHash(self.handle, bytes, size, 0, first);
            if catalog == 0 {
                return Signature::Missing;
            }
            let is_known = CryptCATCatalogInfoFromContext(catalog, &raw mut known, 0) != 0;
            CryptCATAdminReleaseCatalogContext(self.handle, catalog, 0);
            is_known
        };
        if !is_known {
            return Signature::Unknown;
        }
        let tag: String = digest.iter().map(|byte| format!("{byte:02X}")).collect();
        let tag = wide(&tag);
        let mut subject = WINTRUST_CATALOG_INFO {
            cbStruct: size_of::<WINTRUST_CATALOG_INFO>() as u32,
            pcwszCatalogFilePath: known.wszCatalogFile.as_ptr(),
            pcwszMemberTag: tag.as_ptr(),
            pcwszMemberFilePath: path.as_ptr(),
            hMemberFile: file.as_raw_handle(),
            pbCalculatedFileHash: digest.as_mut_ptr(),
            cbCalculatedFileHash: digest.len() as u32,
            hCatAdmin: self.handle,
            ..WINTRUST_CATALOG_INFO::default()
        };
        let pointer = WINTRUST_DATA_0 {
            pCatalog: &raw mut subject,
        };
        // SAFETY: the subject and all that it points to live through the call.
        unsafe { verified(WTD_CHOICE_CATALOG, pointer) }
    }
}

impl Drop for Catalogs {
    fn drop(&mut self) {
        // SAFETY: it was given and is let go once.
        unsafe { CryptCATAdminReleaseContext(self.handle, 0) };
    }
}

/// The same of a file without a signature of its own.
fn in_catalog(file: &File, path: &[u16]) -> Signature {
    let mut found = Signature::Unknown;
    for is_newer in [true, false] {
        let Some(catalogs) = Catalogs::open(is_newer) else {
            continue;
        };
        let Some(mut digest) = catalogs.digest(file) else {
            continue;
        };
        found = catalogs.ask(file, path, &mut digest);
        if found != Signature::Missing {
            break;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use windows_sys::Win32::Foundation::{
        CRYPT_E_ASN1_BADTAG, E_OUTOFMEMORY, TRUST_E_BAD_DIGEST, TRUST_E_CERT_SIGNATURE,
    };

    use super::*;

    #[test]
    fn what_could_not_be_looked_at_is_not_called_signed() {
        let present = |subject: &str, status: i32| Signature::Present {
            subject: subject.into(),
            status: status.cast_unsigned(),
        };
        for status in [E_OUTOFMEMORY, CRYPT_E_FILE_ERROR, 5] {
            assert_eq!(told(status, None), Signature::Unknown, "{status}");
            assert_eq!(told(status, Some("A".into())), present("A", status));
        }
        assert_eq!(told(TRUST_E_NOSIGNATURE, None), Signature::Missing);
        for status in [
            0,
            CRYPT_E_ASN1_BADTAG,
            TRUST_E_BAD_DIGEST,
            TRUST_E_CERT_SIGNATURE,
        ] {
            assert_eq!(told(status, None), present("", status), "{status}");
        }
    }
}
