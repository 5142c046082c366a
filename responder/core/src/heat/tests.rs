//! The policy under loads that stay, shift and are even, with counts as samples give them.

use super::*;
use crate::model::{Name, RecordType};

fn key(number: usize) -> HotKey {
    HotKey { name: Name::from_route53(&format!("n{number}.example.com")).unwrap(), qtype: RecordType::A }
}

/// A small generator of its own (SplitMix64): what it gives does not change from run to run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// How many of so many come up with this probability each; by normal approximation where there are many.
    fn binomial(&mut self, count: f64, probability: f64) -> u64 {
        if count < 200.0 {
            return (0..count as u64).filter(|_| self.share() < probability).count() as u64;
        }
        let mean = count * probability;
        let normal = (0..12).map(|_| self.share()).sum::<f64>() - 6.0;
        (mean + normal * (mean * (1.0 - probability)).sqrt()).round().max(0.0) as u64
    }
}

/// Places for some of the questions, and what is known of all.
struct Kernel {
    capacity: usize,
    keys: Vec<HotKey>,
    held: HashMap<HotKey, f64>,
    candidates: Candidates,
    random: Random,
    exchanged: usize,
}

const ROUND: Duration = Duration::from_secs(10);

impl Kernel {
    /// The first so many have come first.
    fn new(capacity: usize, questions: usize) -> Self {
        let keys: Vec<HotKey> = (0..questions).map(key).collect();
        let held = keys.iter().take(capacity).map(|key| (key.clone(), 0.0)).collect();
        Self { capacity, keys, held, candidates: Candidates::default(), random: Random(53), exchanged: 0 }
    }

    /// One round of a load: how many queries a second each question gets.
    fn round(&mut self, rates: &[f64]) -> usize {
        let kept = kept(ROUND);
        let mut misses = Vec::new();
        for (number, rate) in rates.iter().enumerate() {
            let (key, asked) = (&self.keys[number], rate * ROUND.as_secs_f64());
            match self.held.get_mut(key) {
                Some(heat) => {
                    let sampled = self.random.binomial(asked, 1.0 / f64::from(HITS_ONE_IN));
                    *heat = *heat * kept + (sampled * u64::from(HITS_ONE_IN)) as f64;
                }
                None => {
                    misses.push((key.clone(), self.random.binomial(asked, 1.0 / f64::from(MISSES_ONE_IN))))
                }
            }
        }
        self.candidates.follow(kept, misses);
        let free = self.capacity - self.held.len();
        let held = self.held.iter().map(|(key, &heat)| (key, heat));
        let Exchange { admitted, evicted } = exchange(free, held, self.candidates.iter());
        assert!(admitted.len() <= free.min(EXCHANGED_MAX) + EXCHANGED_MAX);
        for key in &evicted {
            let heat = self.held.remove(key).expect("only what is held makes room");
            self.candidates.insert(key.clone(), heat);
        }
        for key in &admitted {
            let heat = self.candidates.remove(key);
            assert_eq!(self.held.insert(key.clone(), heat), None);
        }
        assert!(self.held.len() <= self.capacity);
        self.exchanged += evicted.len();
        evicted.len()
    }

    /// The share of queries that the kernel answers.
    fn share(&self, rates: &[f64]) -> f64 {
        let is_held = |number: &usize| self.held.contains_key(&self.keys[*number]);
        let held: f64 = (0..rates.len()).filter(is_held).map(|number| rates[number]).sum();
        held / rates.iter().sum::<f64>()
    }
}

/// Zipf's law over so many questions, the hottest last, and the best share that so many places can have.
fn zipf(questions: usize, capacity: usize, rate: f64) -> (Vec<f64>, f64) {
    let harmonic: f64 = (1..=questions).map(|rank| 1.0 / rank as f64).sum();
    let of_rank = |rank: usize| rate / (rank as f64 * harmonic);
    let best = (1..=capacity).map(of_rank).sum::<f64>() / rate;
    ((1..=questions).rev().map(of_rank).collect(), best)
}

#[test]
fn the_busiest_find_a_place_and_then_nothing_moves() {
    // Those that came first are the coldest.
    let (rates, best) = zipf(512, 64, 20_000.0);
    let mut kernel = Kernel::new(64, 512);
    assert!(kernel.share(&rates) < 0.1);
    (0..20).for_each(|_| _ = kernel.round(&rates));
    assert!(kernel.share(&rates) > 0.95 * best, "{} of at best {best}", kernel.share(&rates));
    assert!(kernel.held.contains_key(&key(511)));
    let settled = kernel.exchanged;
    let moved: usize = (0..400).map(|_| kernel.round(&rates)).sum();
    // An hour later: places near the boundary, where one is hardly hotter than the next, at most.
    assert!(moved <= 16, "{moved} more than {settled}");
    let late: usize = (0..400).map(|_| kernel.round(&rates)).sum();
    assert_eq!(late, 0);
    assert!(kernel.share(&rates) > 0.97 * best);
}

#[test]
fn an_even_load_moves_nothing() {
    for rate in [0.5, 10.0, 1000.0] {
        let rates = vec![rate; 1000];
        let mut kernel = Kernel::new(500, 1000);
        // As long as it takes until heat does not rise any more: at first both sides know little.
        let moved: usize = (0..200).map(|_| kernel.round(&rates)).sum();
        assert_eq!(moved, 0, "at {rate} queries a second each");
    }
}

#[test]
fn a_load_that_shifts_is_followed_at_a_bounded_pace() {
    let (mut rates, best) = zipf(2000, 500, 50_000.0);
    let mut kernel = Kernel::new(500, 2000);
    (0..200).for_each(|_| _ = kernel.round(&rates));
    assert!(kernel.share(&rates) > 0.95 * best);
    rates.reverse();
    assert!(kernel.share(&rates) < 0.2);
    let mut rounds = 0;
    while kernel.share(&rates) < 0.9 * best {
        assert!(kernel.round(&rates) <= EXCHANGED_MAX);
        rounds += 1;
        assert!(rounds < 200, "{} after {rounds} rounds", kernel.share(&rates));
    }
}

#[test]
fn free_room_goes_to_the_hottest_and_nobody_makes_room_meanwhile() {
    let [held, outside]: [Vec<HotKey>; 2] = [(0..3).map(key).collect(), (3..9).map(key).collect()];
    let heats = |keys: &[HotKey], heat: f64| -> Vec<(HotKey, f64)> {
        keys.iter().enumerate().map(|(at, key)| (key.clone(), heat + at as f64)).collect()
    };
    let (cold, hot) = (heats(&held, 0.0), heats(&outside, 5000.0));
    let of = |all: &[(HotKey, f64)], free: usize, held: &[(HotKey, f64)]| {
        exchange(
            free,
            held.iter().map(|(key, heat)| (key, *heat)),
            all.iter().map(|(key, heat)| (key, *heat)),
        )
    };
    let all = of(&hot, 6, &cold);
    assert_eq!((all.admitted, all.evicted), (outside.iter().rev().cloned().collect(), vec![]));
    // Beyond that, the hottest of the rest for the coldest.
    let some = of(&hot, 5, &cold);
    assert_eq!(some.admitted, outside.iter().rev().cloned().collect::<Vec<_>>());
    assert_eq!(some.evicted, [key(0)]);
    assert_eq!(of(&hot, 0, &cold).evicted, [key(0), key(1), key(2)]);
    assert_eq!(of(&hot, 0, &heats(&held, 4500.0)), Exchange::default(), "hardly hotter");
    assert_eq!(of(&heats(&outside, 1000.0), 0, &cold), Exchange::default(), "what is cold may be unseen");
    assert_eq!(of(&[], 9, &cold), Exchange::default());
}

#[test]
fn heat_halves() {
    assert_eq!(kept(Duration::ZERO), 1.0);
    assert_eq!(kept(HALF_LIFE), 0.5);
    assert!((kept(HALF_LIFE / 300).powi(600) - 0.25).abs() < 1e-9);
    let mut candidates = Candidates::default();
    candidates.follow(1.0, [(key(1), 100), (key(2), 1)]);
    assert_eq!(candidates.remove(&key(2)), f64::from(MISSES_ONE_IN));
    candidates.follow(0.5, [(key(1), 1)]);
    assert_eq!(candidates.remove(&key(1)), 51.0 * f64::from(MISSES_ONE_IN));
    assert_eq!(candidates.remove(&key(1)), 0.0);
}

#[test]
fn candidates_are_bounded_and_the_coldest_go() {
    let mut candidates = Candidates::default();
    candidates.follow(1.0, (0..2 * CANDIDATES_MAX).map(|number| (key(number), 1 + number as u64)));
    assert_eq!(candidates.iter().count(), CANDIDATES_MAX);
    assert!(candidates.iter().all(|(_, heat)| heat > (CANDIDATES_MAX * MISSES_ONE_IN as usize) as f64));
    candidates.follow(1e-9, []);
    assert_eq!(candidates.iter().count(), 0, "what has gone cold is forgotten");
}

#[test]
fn the_sketch_counts_what_is_frequent_in_bounded_memory() {
    const MAX: usize = 100;
    const ADDED: u64 = 200_000;
    let mut sketch = Sketch::new(MAX);
    let mut random = Random(1);
    let mut truth: HashMap<u64, u64> = HashMap::new();
    for _ in 0..ADDED {
        // Half of all are one of twenty, the others one of a million.
        let key = if random.next() & 1 == 0 { random.next() % 20 } else { 1000 + random.next() % 1_000_000 };
        *truth.entry(key).or_default() += 1;
        sketch.add(key);
        assert!(sketch.counts.len() <= MAX);
    }
    let counts = sketch.take();
    for frequent in 0..20 {
        let (counted, asked) = (counts.get(&frequent).copied().unwrap_or(0), truth[&frequent]);
        assert!(counted <= asked && counted + ADDED / (MAX as u64 + 1) >= asked, "{counted} of {asked}");
        assert!(counted > 0);
    }
    assert!(sketch.take().is_empty(), "what was taken is not counted again");
}
