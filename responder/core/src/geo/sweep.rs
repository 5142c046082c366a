//! Nested networks in, disjoint ranges out: one pass over the sorted networks with a stack of those still open.

use super::network::Network;
use super::space::{Family, keys_of};

/// Something said about a network; of two about the same network the later one counts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Prefix<T> {
    /// First client network.
    start: u64,
    /// One past the last.
    end: u64,
    /// Of the network itself: those longer than a client network nest by it as well.
    length: u8,
    /// What is said.
    pub(super) value: T,
}

impl<T> Prefix<T> {
    /// None if the network decides about no client network.
    pub(super) fn new(network: &Network, value: T) -> Option<Self> {
        let (start, count) = keys_of(network)?;
        Some(Self { start, end: start + count, length: network.length(), value })
    }

    /// Something else about the same network.
    pub(super) fn saying<U>(&self, value: U) -> Prefix<U> {
        Prefix { start: self.start, end: self.end, length: self.length, value }
    }

    pub(super) fn start(&self) -> u64 {
        self.start
    }

    pub(super) fn length(&self) -> u8 {
        self.length
    }
}

/// A number for every client network of one family, as the ranges that share one; 0 is what nothing was said about.
#[derive(Debug, Clone)]
pub(super) struct Ranges {
    /// Where each range begins: rising, the first 0. Apart from the values, since the search reads these alone.
    starts: Vec<u64>,
    values: Vec<u32>,
}

impl Default for Ranges {
    fn default() -> Self {
        Self { starts: vec![0], values: vec![0] }
    }
}

impl Ranges {
    /// The number of one client network.
    pub(super) fn at(&self, key: u64) -> u32 {
        self.values[self.starts.partition_point(|start| *start <= key) - 1]
    }

    /// Each range's begin and number, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, u32)> + '_ {
        self.starts.iter().copied().zip(self.values.iter().copied())
    }

    /// From `start` on it is `value`. Starts never fall; of two equal ones the later counts.
    fn push(&mut self, start: u64, value: u32) {
        if self.starts.last() == Some(&start) {
            self.starts.pop();
            self.values.pop();
        }
        if self.values.last() != Some(&value) {
            self.starts.push(start);
            self.values.push(value);
        }
    }

    fn shrink(&mut self) {
        self.starts.shrink_to_fit();
        self.values.shrink_to_fit();
    }
}

/// Flattens nested networks. `enter` gets the number that holds around a network and all that is said about it, in the
/// order it was said, and gives the number that holds inside; it is called once per network, outer ones first.
pub(super) fn sweep<T>(
    family: Family,
    mut prefixes: Vec<Prefix<T>>,
    mut enter: impl FnMut(u32, &[Prefix<T>]) -> u32,
) -> Ranges {
    prefixes.sort_by_key(|prefix| (prefix.start, prefix.length));
    let mut ranges = Ranges::default();
    // The networks around the current one, outermost first: where each ends and its number. Nested networks are ever
    // longer, so an address's bits bound the depth.
    let mut open: Vec<(u64, u32)> = vec![(family.keys(), 0)];
    for same in prefixes.chunk_by(|a, b| (a.start, a.length) == (b.start, b.length)) {
        let Prefix { start, end, .. } = same[0];
        while let Some(&(closed, _)) = open.last()
            && closed <= start
        {
            leave(&mut open, &mut ranges);
        }
        let around = open.last().map_or(0, |(_, value)| *value);
        let inside = enter(around, same);
        ranges.push(start, inside);
        open.push((end, inside));
    }
    while open.len() > 1 {
        leave(&mut open, &mut ranges);
    }
    ranges.shrink();
    ranges
}

/// Behind the innermost open network, what is around it holds again.
fn leave(open: &mut Vec<(u64, u32)>, ranges: &mut Ranges) {
    let ended = open.pop();
    if let (Some((end, _)), Some((outer_end, around))) = (ended, open.last())
        && end < *outer_end
    {
        ranges.push(end, *around);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flatten(networks: &[(&str, u32)]) -> Vec<(u64, u32)> {
        let prefixes = networks.iter().filter_map(|(text, value)| {
            let network: Network = text.parse().unwrap();
            Prefix::new(&network, *value)
        });
        sweep(Family::V4, prefixes.collect(), |_, same| same.last().unwrap().value).iter().collect()
    }

    #[test]
    fn inner_networks_interrupt_outer_ones() {
        assert_eq!(flatten(&[]), [(0, 0)]);
        assert_eq!(flatten(&[("0.0.0.0/0", 1)]), [(0, 1)]);
        assert_eq!(
            flatten(&[("0.1.0.0/16", 2), ("0.0.0.0/8", 1), ("0.1.1.0/24", 3)]),
            [(0, 1), (0x100, 2), (0x101, 3), (0x102, 2), (0x200, 1), (0x1_0000, 0)]
        );
    }

    #[test]
    fn networks_that_end_together_leave_one_border() {
        assert_eq!(
            flatten(&[("0.0.0.0/16", 1), ("0.0.128.0/17", 2), ("0.0.255.0/24", 3)]),
            [(0, 1), (0x80, 2), (0xff, 3), (0x100, 0)]
        );
        assert_eq!(
            flatten(&[("255.0.0.0/8", 1), ("255.255.255.0/24", 2)])[1..],
            [(0xff_0000, 1), (0xff_ffff, 2)]
        );
    }

    #[test]
    fn equal_neighbors_are_one_range() {
        assert_eq!(flatten(&[("0.0.0.0/24", 1), ("0.0.1.0/24", 1)]), [(0, 1), (2, 0)]);
        assert_eq!(flatten(&[("0.0.0.0/16", 1), ("0.0.3.0/24", 1)]), [(0, 1), (0x100, 0)]);
    }

    #[test]
    fn the_later_word_and_the_longer_network_count() {
        assert_eq!(flatten(&[("0.0.1.0/24", 1), ("0.0.1.0/24", 2)]), [(0, 0), (1, 2), (2, 0)]);
        assert_eq!(
            flatten(&[("0.0.1.0/25", 2), ("0.0.1.0/24", 1), ("0.0.1.128/25", 3)]),
            [(0, 0), (1, 2), (2, 0)]
        );
    }
}
