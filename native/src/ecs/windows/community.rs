//! The Community ID of a connection (version 1, seed 0): the same from either end, and by any sensor.

use std::net::IpAddr;

use sha1::{Digest, Sha1};

use super::convert::Value;
use super::table::TABLE;

/// The id of a connection whose ends are among the values of a record's fields, if they are.
pub(super) fn of(values: &[(usize, Value)]) -> Option<String> {
    let [
        _,
        source,
        destination,
        source_port,
        destination_port,
        transport,
    ] = TABLE.ends;
    let get = |place: usize| {
        let mut all = values.iter();
        all.find(|(field, _)| *field == place)
            .map(|(_, value)| value)
    };
    let text = |place| match get(place)? {
        Value::Text(text) => Some(&**text),
        _ => None,
    };
    let port = |place| match get(place)? {
        Value::Number(port) => u16::try_from(*port).ok(),
        _ => None,
    };
    let protocol = match text(transport)? {
        "tcp" => 6,
        "udp" => 17,
        _ => return None,
    };
    let end = |address, place| Some((text(address)?.parse().ok()?, port(place)?));
    let (from, to) = (
        end(source, source_port)?,
        end(destination, destination_port)?,
    );
    Some(id(from, to, protocol))
}

/// A connection's id: `1:` and the digest of its ends in order. `protocol`: IP's number.
fn id(source: (IpAddr, u16), destination: (IpAddr, u16), protocol: u8) -> String {
    let (first, second) = if ends(source) <= ends(destination) {
        (source, destination)
    } else {
        (destination, source)
    };
    let mut digest = Sha1::new();
    digest.update([0, 0]);
    digest.update(octets(first.0));
    digest.update(octets(second.0));
    digest.update([protocol, 0]);
    digest.update(first.1.to_be_bytes());
    digest.update(second.1.to_be_bytes());
    format!("1:{}", base64(&digest.finalize()))
}

/// What ends are put in order by.
fn ends((address, port): (IpAddr, u16)) -> (Vec<u8>, u16) {
    (octets(address), port)
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().into(),
        IpAddr::V6(address) => address.octets().into(),
    }
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for part in bytes.chunks(3) {
        let whole = part
            .iter()
            .chain(&[0; 2])
            .take(3)
            .fold(0, |whole, &byte| whole << 8 | usize::from(byte));
        for place in 0..4 {
            let digit = char::from(DIGITS[whole >> (18 - 6 * place) & 63]);
            text.push(if place <= part.len() { digit } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{base64, id};

    #[test]
    fn ids_are_those_of_other_sensors() {
        let at = |address: &str, port| (address.parse().unwrap(), port);
        let one = at("128.232.110.120", 34_855);
        let other = at("66.35.250.204", 80);
        // The example of the specification.
        let expected = "1:LQU9qZlK+B5F3KDmev6m5PMibrg=";
        assert_eq!(id(one, other, 6), expected);
        assert_eq!(id(other, one, 6), expected);
    }

    #[test]
    fn bytes_are_digits() {
        for (bytes, text) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v")] {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
    }
}
