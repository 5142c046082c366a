//! The frame of a question, complete but for what differs from query to query.

use std::net::{IpAddr, SocketAddr};

use crate::label;
use crate::plan::{FRAME_MAX, ID_AND_PORT, Plan, fold};

/// The zone whose names are asked: eight octets of [`label`] before it.
pub const ZONE: &str = "bench.example.com";
/// The same as it is asked: in mixed case, as resolvers do.
const ASKED: [&[u8]; 3] = [b"Bench", b"exAmple", b"com"];

const ETHERNET: usize = 14;
const UDP: usize = 8;
const HEADER: usize = 12;
const QUESTION_TAIL: usize = 4;
/// Octets of the varying subnet, and its first one.
const SUBNET_BITS: u8 = 24;
const SUBNET_FIRST: u8 = 10;

/// Who asks, and who is asked.
#[derive(Debug, Clone, Copy)]
pub struct Ends {
    /// Link address of the asking end.
    pub client_link: [u8; 6],
    /// Link address of the asked end.
    pub server_link: [u8; 6],
    /// Who asks.
    pub client: IpAddr,
    /// Who is asked.
    pub server: SocketAddr,
}

/// What all queries of a load have in common.
#[derive(Debug, Clone, Copy, Default)]
pub struct Question {
    /// With OPT.
    pub edns: bool,
    /// With a client subnet of 24 bits, of which 16 vary; wants `edns`.
    pub subnet: bool,
    /// With a client cookie, always the same; wants `edns`.
    pub cookie: bool,
    /// Bits of the last two octets of the source address that vary.
    pub source_mask: u16,
}

impl Question {
    /// The frame, and the plan's part that follows from it.
    pub fn frame(&self, ends: &Ends) -> (Vec<u8>, Plan) {
        assert!(self.edns || !(self.subnet || self.cookie), "options want EDNS");
        let message = self.message();
        let mut frame = Vec::with_capacity(FRAME_MAX);
        frame.extend(ends.server_link);
        frame.extend(ends.client_link);
        let mut source = ends.client;
        if self.source_mask != 0 {
            source = clear_low_octets(source);
        }
        let udp_len = (UDP + message.len()) as u16;
        let (mut ip_sum, pseudo) = match (source, ends.server.ip()) {
            (IpAddr::V4(source), IpAddr::V4(server)) => {
                frame.extend([0x08, 0, 0x45, 0]);
                frame.extend((20 + udp_len).to_be_bytes());
                frame.extend([0, 0, 0, 0, 64, 17, 0, 0]);
                frame.extend(source.octets());
                frame.extend(server.octets());
                let sum = fold(sum(&frame[ETHERNET..]));
                frame[ETHERNET + 10..][..2].copy_from_slice(&(!sum as u16).to_le_bytes());
                (sum, sum_of([&source.octets()[..], &server.octets()]))
            }
            (IpAddr::V6(source), IpAddr::V6(server)) => {
                frame.extend([0x86, 0xdd, 0x60, 0, 0, 0]);
                frame.extend(udp_len.to_be_bytes());
                frame.extend([17, 64]);
                frame.extend(source.octets());
                frame.extend(server.octets());
                (0, sum_of([&source.octets()[..], &server.octets()]))
            }
            _ => panic!("{source} cannot ask {}", ends.server),
        };
        let udp_at = frame.len();
        frame.extend(ID_AND_PORT.to_be_bytes());
        frame.extend(ends.server.port().to_be_bytes());
        frame.extend(udp_len.to_be_bytes());
        frame.extend([0, 0]);
        frame.extend(&message);
        assert!(frame.len() <= FRAME_MAX, "a frame of {} octets", frame.len());
        let udp_sum =
            fold(sum(&frame[udp_at..]) + pseudo + u64::from(17u16.to_be()) + u64::from(udp_len.to_be()));

        let label_at = udp_at + UDP + HEADER + 1;
        let name_len = 1 + label::LEN + ASKED.iter().map(|label| label.len() + 1).sum::<usize>() + 1;
        let source_at = match (self.source_mask, source) {
            (0, _) => {
                ip_sum = 0;
                0
            }
            (_, IpAddr::V4(_)) => ETHERNET + 14,
            (_, IpAddr::V6(_)) => ETHERNET + 22,
        };
        let plan = Plan {
            frame_len: frame.len() as u64,
            udp_at: udp_at as u64,
            label_at: label_at as u64,
            answers_at: (label_at - 1 + name_len + QUESTION_TAIL) as u64,
            subnet_at: if self.subnet { frame.len() as u64 - 2 } else { 0 },
            source_at: source_at as u64,
            source_mask: u64::from(self.source_mask.to_be()),
            udp_sum,
            ip_sum,
            names: 1,
            ..Plan::default()
        };
        (frame, plan)
    }

    /// The message, its label all zeros.
    fn message(&self) -> Vec<u8> {
        const OPT_SIZE: u16 = 1232;
        // RD, as `dig` and generators send it.
        let mut message = vec![0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, u8::from(self.edns)];
        message.push(label::LEN as u8);
        message.extend([0; label::LEN]);
        for label in ASKED {
            message.push(label.len() as u8);
            message.extend(label);
        }
        message.extend([0, 0, 1, 0, 1]);
        if self.edns {
            message.extend([0, 0, 41]);
            message.extend(OPT_SIZE.to_be_bytes());
            message.extend([0; 4]);
            let mut options = Vec::new();
            if self.cookie {
                // RFC 7873: option 10, eight octets.
                options.extend([0, 10, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8]);
            }
            if self.subnet {
                // RFC 7871: option 8, family 1, source prefix length, scope 0, three octets. The last two, at the end of the frame, vary.
                options.extend([0, 8, 0, 7, 0, 1, SUBNET_BITS, 0, SUBNET_FIRST, 0, 0]);
            }
            message.extend((options.len() as u16).to_be_bytes());
            message.extend(options);
        }
        message
    }
}

fn clear_low_octets(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(address) => IpAddr::from((u32::from(address) & !0xffff).to_be_bytes()),
        IpAddr::V6(address) => IpAddr::from((u128::from(address) & !0xffff).to_be_bytes()),
    }
}

fn sum_of(parts: [&[u8]; 2]) -> u64 {
    parts.map(sum).iter().sum()
}

/// The sum of 16-bit words as they stand in memory.
fn sum(octets: &[u8]) -> u64 {
    octets.chunks(2).map(|pair| u64::from(u16::from_le_bytes([pair[0], *pair.get(1).unwrap_or(&0)]))).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::sum_at;

    fn ends(client: &str, server: &str) -> Ends {
        Ends {
            client_link: [2, 0, 0, 0, 0, 1],
            server_link: [2, 0, 0, 0, 0, 2],
            client: client.parse().unwrap(),
            server: server.parse().unwrap(),
        }
    }

    /// What the program writes over the template, and the sum it reckons then.
    fn completed(question: Question, ends: &Ends) -> (Vec<u8>, Plan, u64) {
        let (mut frame, plan) = question.frame(ends);
        let label = label::of(0x00ab_cdef);
        frame[plan.label_at as usize..][..8].copy_from_slice(&label.to_le_bytes());
        let mut sum = plan.udp_sum + sum_at(plan.label_at ^ plan.udp_at, label);
        if plan.subnet_at != 0 {
            frame[plan.subnet_at as usize..][..2].copy_from_slice(&[0x12, 0x34]);
            sum += sum_at(plan.subnet_at ^ plan.udp_at, 0x3412);
        }
        (frame, plan, !fold(sum) & 0xffff)
    }

    #[test]
    fn checksums_are_right_in_each_shape() {
        let shapes = [(false, false), (true, false), (true, true)];
        for ends in [ends("10.53.0.1", "10.53.0.53:53"), ends("fd53::1", "[fd53::53]:53")] {
            for (edns, subnet) in shapes {
                let (mut frame, plan, checksum) =
                    completed(Question { edns, subnet, cookie: subnet, source_mask: 0 }, &ends);
                let udp_at = plan.udp_at as usize;
                frame[udp_at + 6..][..2].copy_from_slice(&(checksum as u16).to_le_bytes());
                let addresses = if ends.client.is_ipv4() { 26..34 } else { 22..54 };
                let whole = sum(&frame[udp_at..])
                    + sum(&frame[addresses])
                    + u64::from(17u16.to_be())
                    + u64::from(((frame.len() - udp_at) as u16).to_be());
                assert_eq!(fold(whole), 0xffff, "{edns} {subnet} {ends:?}");
                if ends.client.is_ipv4() {
                    assert_eq!(fold(sum(&frame[14..34])), 0xffff);
                }
            }
        }
    }

    #[test]
    fn places_are_where_the_plan_says() {
        let (frame, plan, _) = completed(
            Question { edns: true, subnet: true, cookie: true, source_mask: 0xff },
            &ends("10.53.0.1", "10.53.0.53:53"),
        );
        let label_at = plan.label_at as usize;
        assert_eq!(&frame[label_at - 1..][..15], b"\x08fedcba00\x05Bench");
        assert_eq!(&frame[plan.answers_at as usize..][..3], [0, 0, 41], "OPT stands where answers will");
        assert_eq!(&frame[plan.subnet_at as usize - 1..], [10, 0x12, 0x34]);
        assert_eq!(&frame[plan.source_at as usize - 2..][..4], [10, 53, 0, 0]);
        assert_eq!(plan.source_mask, 0xff00);
    }
}
