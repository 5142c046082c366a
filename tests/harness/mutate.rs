//! Queries gone wrong: each mutation is one that a broken or hostile sender makes, or one that shifts a boundary by a little.

use fastrand::Rng;

use crate::frame::QueryFrame;

/// The longest frame made, well below what the kernel lets a test send.
const FRAME_MAX: usize = 2000;
/// The shortest frame that the kernel lets a test send.
const FRAME_MIN: usize = 14;

/// A frame made of one of these by a few mutations of the message, of the frame around it, or of both; sometimes of none, sometimes pure
/// noise.
pub fn mutated(random: &mut Rng, bases: &[QueryFrame]) -> Vec<u8> {
    let mut frame = bases[random.usize(..bases.len())].clone();
    let mut octets = match random.u8(..10) {
        0 => frame.octets(),
        1..6 => {
            // Lengths and checksums stay right, so that the damage reaches the DNS steps.
            (0..random.u8(1..4)).for_each(|_| mutate_message(random, &mut frame.message));
            frame.octets()
        }
        6..8 => {
            let mut octets = frame.octets();
            (0..random.u8(1..4)).for_each(|_| mutate_frame(random, &mut octets));
            octets
        }
        8 => {
            mutate_message(random, &mut frame.message);
            let mut octets = frame.octets();
            mutate_frame(random, &mut octets);
            octets
        }
        _ => noise(random, &frame),
    };
    octets.truncate(FRAME_MAX);
    octets.resize(octets.len().max(FRAME_MIN), 0);
    octets
}

fn mutate_message(random: &mut Rng, message: &mut Vec<u8>) {
    match random.u8(..12) {
        0 => flip_bits(random, message),
        // The header: flags and counts.
        1 => flip_bits(random, &mut message[..12]),
        2 => {
            let count = 4 + 2 * random.usize(..4);
            message[count + 1] = random.u8(..3);
        }
        3 => truncate(random, message),
        4 => append(random, message),
        // The name: a label's length, an octet of it, another case.
        5 => message[12] = random.u8(..),
        6 => {
            let at = in_name(random, message);
            message[at] = random.u8(..);
        }
        7 => message[12..]
            .iter_mut()
            .filter(|_| random.bool())
            .for_each(|octet| *octet = octet.to_ascii_uppercase()),
        8 => {
            let at = in_name(random, message);
            message.insert(at, random.u8(..));
        }
        9 => {
            let at = in_name(random, message);
            message.remove(at);
        }
        // What lies behind the name: type, class, OPT and its options.
        10 => {
            let from = message.len().saturating_sub(random.usize(4..24)).max(12);
            flip_bits(random, &mut message[from..]);
        }
        _ => option(random, message),
    }
    // Later mutations count on a header and something behind it.
    message.resize(message.len().max(14), 0);
}

fn in_name(random: &mut Rng, message: &[u8]) -> usize {
    random.usize(12..message.len().min(44))
}

/// Appends one more option, mostly with a right length, and mostly tells the OPT record of it, if there is one at the end without options.
fn option(random: &mut Rng, message: &mut Vec<u8>) {
    let data: Vec<u8> = (0..random.usize(..20)).map(|_| random.u8(..)).collect();
    let code: u16 = [3, 8, 10, 11, 12, random.u16(..)][random.usize(..6)];
    let length = if random.u8(..4) == 0 { random.u16(..40) } else { data.len() as u16 };
    if random.u8(..4) != 0 {
        let at = message.len() - 2;
        message[at..].copy_from_slice(&(4 + data.len() as u16).to_be_bytes());
    }
    message.extend(code.to_be_bytes());
    message.extend(length.to_be_bytes());
    message.extend(data);
}

fn mutate_frame(random: &mut Rng, octets: &mut Vec<u8>) {
    match random.u8(..8) {
        0 => flip_bits(random, octets),
        // The headers in front of the message.
        1 => {
            let end = octets.len().min(70);
            flip_bits(random, &mut octets[..end]);
        }
        2 => truncate(random, octets),
        3 => append(random, octets),
        // Ethernet padding.
        4 => octets.resize(octets.len().max(60), random.u8(..)),
        // A length or another word of the IP or UDP header, off by a little.
        5 | 6 => {
            let at = random.usize(14..octets.len().clamp(16, 64) - 1);
            let off = random.u16(..9).wrapping_sub(4);
            let word = u16::from_be_bytes([octets[at], octets[at + 1]]).wrapping_add(off);
            octets[at..at + 2].copy_from_slice(&word.to_be_bytes());
        }
        _ => {
            let at = random.usize(..octets.len());
            octets[at] = [0, 1, 0x7f, 0x80, 0xff][random.usize(..5)];
        }
    }
    octets.resize(octets.len().max(20), 0);
}

fn flip_bits(random: &mut Rng, octets: &mut [u8]) {
    for _ in 0..random.u8(1..5) {
        let at = random.usize(..octets.len());
        octets[at] ^= 1 << random.u8(..8);
    }
}

fn truncate(random: &mut Rng, octets: &mut Vec<u8>) {
    // Mostly by a little: the interesting ends are those of fields.
    let by = if random.bool() { random.usize(1..12) } else { random.usize(..octets.len()) };
    octets.truncate(octets.len().saturating_sub(by));
}

fn append(random: &mut Rng, octets: &mut Vec<u8>) {
    let count = if random.u8(..8) == 0 { random.usize(..1600) } else { random.usize(1..16) };
    octets.extend((0..count).map(|_| random.u8(..)));
}

/// Random octets, behind right headers or behind none.
fn noise(random: &mut Rng, frame: &QueryFrame) -> Vec<u8> {
    let octets = |random: &mut Rng, max: usize| (0..random.usize(..max)).map(|_| random.u8(..)).collect();
    if random.bool() {
        return octets(random, 300);
    }
    let message = octets(random, 300);
    QueryFrame { message, ..frame.clone() }.octets()
}
