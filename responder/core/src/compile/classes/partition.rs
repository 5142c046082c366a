//! Joins arrangements: classes for which all of them have the same orders are one variant.

use std::collections::{BTreeSet, HashMap};

use super::aspect::Aspect;
use super::aspects::{Alike, Arrangement};

/// The variant of every class, and a class of every variant. Variants are numbered as they occur.
pub(super) fn partition(
    aspects: &[Aspect],
    of_class: &[Alike],
    set: &BTreeSet<Arrangement>,
) -> (Box<[u16]>, Box<[u16]>) {
    let mut variants = Numbers::alike(of_class.len());
    for (number, aspect) in aspects.iter().enumerate() {
        let mut within = Numbers::alike(aspect.classes.len());
        let places: Vec<usize> =
            set.iter().filter(|of| of.aspect == number).map(|arrangement| arrangement.place).collect();
        for &place in &places {
            within.divide(aspect.orders[place].len(), |class| aspect.classes[class][place]);
        }
        if !places.is_empty() {
            let Numbers { numbers, count } = within;
            variants.divide(count, |class| numbers[of_class[class][number] as usize]);
        }
    }
    let mut representatives = Vec::with_capacity(variants.count);
    for (class, &variant) in variants.numbers.iter().enumerate() {
        if variant as usize == representatives.len() {
            representatives.push(class as u16);
        }
    }
    (variants.numbers.into_iter().map(|variant| variant as u16).collect(), representatives.into())
}

/// Numbers for some things, the same for those that are not told apart, counted as they occur.
struct Numbers {
    numbers: Vec<u32>,
    count: usize,
}

impl Numbers {
    fn alike(things: usize) -> Self {
        Self { numbers: vec![0; things], count: 1 }
    }

    /// Tells apart what differs in one more number, of which there are so many.
    fn divide(&mut self, others: usize, other: impl Fn(usize) -> u32) {
        const NONE: u32 = u32::MAX;
        // Mostly there are few pairs of numbers, and an array finds them faster than a map does.
        let few = self.count.checked_mul(others).filter(|pairs| *pairs <= 4 * self.numbers.len() + 64);
        let mut in_array = vec![NONE; few.unwrap_or(0)];
        let mut in_map: HashMap<(u32, u32), u32> = HashMap::new();
        let mut count = 0;
        for (thing, number) in self.numbers.iter_mut().enumerate() {
            let other = other(thing);
            let known = match few {
                Some(_) => &mut in_array[*number as usize * others + other as usize],
                None => in_map.entry((*number, other)).or_insert(NONE),
            };
            if *known == NONE {
                *known = count;
                count += 1;
            }
            *number = *known;
        }
        self.count = count as usize;
    }
}
