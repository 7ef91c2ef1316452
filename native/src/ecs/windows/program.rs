//! What was found in the file of a program: its digests, and what Windows says of its signature.

use super::convert::Value;
use super::table::TABLE;
use crate::ecs::escape::hex;
use crate::event::{Digests, Inspection, Signature};

/// What Windows calls the ways a signature can be wrong. Those of the last column are of a signature that
/// is of this very content, by someone who is not trusted: the content is looked at before.
const FAULTS: &[(u32, &str, bool)] = &[
    (0x8009_2026, "CRYPT_E_SECURITY_SETTINGS", false),
    (0x8009_6004, "TRUST_E_CERT_SIGNATURE", false),
    (0x8009_6005, "TRUST_E_TIME_STAMP", false),
    (0x8009_6010, "TRUST_E_BAD_DIGEST", false),
    (0x800B_0004, "TRUST_E_SUBJECT_NOT_TRUSTED", false),
    (0x800B_0101, "CERT_E_EXPIRED", true),
    (0x800B_0109, "CERT_E_UNTRUSTEDROOT", true),
    (0x800B_010A, "CERT_E_CHAINING", true),
    (0x800B_010C, "CERT_E_REVOKED", true),
    (0x800B_010D, "CERT_E_UNTRUSTEDTESTROOT", true),
    (0x800B_0110, "CERT_E_WRONG_USAGE", true),
    (0x800B_0111, "TRUST_E_EXPLICIT_DISTRUST", true),
];
const BAD_DIGEST: u32 = 0x8009_6010;
/// As Sysmon calls it.
const GOOD: &str = "Valid";

/// Bytes as hexadecimal digits.
fn digits(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|&byte| hex(byte));
    digits.map(char::from).collect()
}

/// Adds the fields of it.
pub(super) fn add<'a>(found: &'a Inspection, values: &mut Vec<(usize, Value<'a>)>) {
    let Digests { md5, sha1, sha256 } = &found.digests;
    let digests = [&md5[..], sha1, sha256].map(|digest| Value::Text(digits(digest).into()));
    values.extend(TABLE.hashes.into_iter().zip(digests));
    let [exists, said, signer, is_trusted, is_valid] = TABLE.signature;
    match &found.signature {
        Signature::Unknown => {}
        Signature::Missing => values.push((exists, Value::Truth(false))),
        Signature::Present { subject, status } => {
            values.push((exists, Value::Truth(true)));
            let fault = FAULTS.iter().find(|(number, ..)| number == status);
            values.push((
                said,
                Value::Text(match fault {
                    _ if *status == 0 => GOOD.into(),
                    Some(&(_, name, _)) => name.into(),
                    None => format!("0x{status:08X}").into(),
                }),
            ));
            if !subject.is_empty() {
                values.push((signer, Value::Text(subject.into())));
            }
            let is_of_content = *status == 0 || fault.is_some_and(|&(.., is_of_it)| is_of_it);
            if is_of_content {
                values.push((is_trusted, Value::Truth(*status == 0)));
            }
            if is_of_content || *status == BAD_DIGEST {
                values.push((is_valid, Value::Truth(is_of_content)));
            }
        }
    }
}
