//! As much of DNS as a watcher needs: a question for addresses, and the addresses answered.
//!
//! Written out here, so that the demo does not check the server with the server's own code.

use std::net::Ipv4Addr;

/// A question for the A records of a name such as `www.demo.example`.
pub fn question(id: u16, name: &str) -> Vec<u8> {
    let mut message = id.to_be_bytes().to_vec();
    message.extend([0, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    for label in name.split('.') {
        message.push(u8::try_from(label.len()).expect("the demo's labels are short"));
        message.extend(label.as_bytes());
    }
    message.extend([0, 0, 1, 0, 1]);
    message
}

/// A response's id, and the addresses in it: none, unless it is a success that has A records.
pub struct Response {
    pub id: u16,
    pub addresses: Vec<Ipv4Addr>,
}

/// Reads a response; none if it is malformed.
pub fn response(message: &[u8]) -> Option<Response> {
    let word = |at: usize| Some(u16::from_be_bytes([*message.get(at)?, *message.get(at + 1)?]));
    let (id, flags, questions, answers) = (word(0)?, word(2)?, word(4)?, word(6)?);
    (flags & 0x8000 != 0).then_some(())?;
    let mut addresses = Vec::new();
    let mut at = 12;
    for _ in 0..questions {
        at = after_name(message, at)? + 4;
    }
    for _ in 0..answers {
        at = after_name(message, at)?;
        let (kind, length) = (word(at)?, usize::from(word(at + 8)?));
        let data = message.get(at + 10..at + 10 + length)?;
        if let (1, Ok(octets)) = (kind, <[u8; 4]>::try_from(data)) {
            addresses.push(octets.into());
        }
        at += 10 + length;
    }
    Some(Response { id, addresses })
}

fn after_name(message: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match *message.get(at)? {
            0 => return Some(at + 1),
            // A pointer ends the name.
            length if length >= 0xc0 => return Some(at + 2),
            length => at += 1 + usize::from(length),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_spells_the_name() {
        assert_eq!(
            question(0x1234, "www.a"),
            b"\x12\x34\0\0\0\x01\0\0\0\0\0\0\x03www\x01a\0\0\x01\0\x01".as_slice()
        );
    }

    #[test]
    fn addresses_are_read_and_other_records_passed_over() {
        let mut message = question(7, "www.a");
        message[2] = 0x84;
        message[7] = 3;
        message.extend(b"\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04\xc6\x33\x64\x0b");
        message.extend(b"\xc0\x0c\0\x10\0\x01\0\0\0\x3c\0\x02\x01x");
        message.extend(b"\x01w\xc0\x10\0\x01\0\x01\0\0\0\x3c\0\x04\xc6\x33\x64\x0c");
        let read = response(&message).unwrap();
        assert_eq!(read.id, 7);
        assert_eq!(read.addresses, [Ipv4Addr::new(198, 51, 100, 11), Ipv4Addr::new(198, 51, 100, 12)]);
        // A response cut short anywhere is refused, and never read past its end.
        assert!((0..message.len()).all(|length| response(&message[..length]).is_none()));
    }

    #[test]
    fn a_question_is_no_response() {
        assert!(response(&question(7, "www.a")).is_none());
    }
}
