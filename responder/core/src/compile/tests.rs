//! The compiler against the procedure of R-72 played out in full, and every flip against compiling anew.

use std::collections::{BTreeMap, HashMap};

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{One, Zero};
use proptest::prelude::*;

use super::*;
use crate::model::{AliasTarget, FailoverRole, RRsetGroup, Revision, RoutingPolicy, SetId, Zone};

const CHECKS: usize = 6;
/// Aliases lead to groups of higher number only, so chains have up to eight hops and no loop.
const GROUPS: usize = 9;

/// A member: its check, and its values or its alias.
#[derive(Debug, Clone)]
struct Member {
    check: Option<usize>,
    data: Data,
}

#[derive(Debug, Clone)]
enum Data {
    /// Few different ones, so that equal answers meet.
    Values(Vec<u8>),
    /// How many groups further; beyond the last one the target is missing.
    Alias { further: usize, evaluate: bool },
}

#[derive(Debug, Clone)]
enum Group {
    Simple(Member),
    Weighted(Vec<(u8, Member)>),
    Failover(Option<Member>, Option<Member>),
    Multivalue(Vec<(u32, Option<usize>, Vec<u8>)>),
}

fn check() -> impl Strategy<Value = Option<usize>> {
    prop_oneof![1 => Just(None), 3 => (0..CHECKS).prop_map(Some)]
}

fn values() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::btree_set(0u8..6, 1..3).prop_map(|values| values.into_iter().collect())
}

fn member() -> impl Strategy<Value = Member> {
    let data = prop_oneof![
        2 => values().prop_map(Data::Values),
        3 => (1..4usize, any::<bool>()).prop_map(|(further, evaluate)| Data::Alias { further, evaluate }),
    ];
    (check(), data).prop_map(|(check, data)| Member { check, data })
}

fn group() -> impl Strategy<Value = Group> {
    let weight = prop_oneof![Just(0u8), 1..5u8, Just(255)];
    let value = (1..4u32, check(), values());
    prop_oneof![
        1 => member().prop_map(Group::Simple),
        3 => prop::collection::vec((weight, member()), 1..6).prop_map(Group::Weighted),
        2 => (prop::option::of(member()), member()).prop_map(|(one, other)| Group::Failover(one, Some(other))),
        1 => member().prop_map(|primary| Group::Failover(Some(primary), None)),
        1 => prop::collection::vec(value, 1..12).prop_map(Group::Multivalue),
    ]
}

fn name(group: usize) -> Name {
    Name::from_route53(&format!("g{group}.example.com")).unwrap()
}

fn check_id(check: usize) -> CheckId {
    CheckId::from(&*format!("c{check}"))
}

fn rdatas(values: &[u8]) -> Arc<[Rdata]> {
    values.iter().map(|value| Rdata([192, 0, 2, *value].as_slice().into())).collect()
}

const TTL: Ttl = Ttl(60);

fn record_set(group: usize, set_id: usize, policy: RoutingPolicy, member: &Member) -> RecordSet {
    let data = match &member.data {
        Data::Values(values) => RecordData::Values { ttl: TTL, rdatas: rdatas(values) },
        Data::Alias { further, evaluate } => RecordData::Alias(AliasTarget {
            zone: ZoneId("Z1".into()),
            name: name(group + further),
            evaluate_target_health: *evaluate,
        }),
    };
    let set_id = (policy != RoutingPolicy::Simple).then(|| SetId(set_id.to_string().into()));
    RecordSet { set_id, policy, check: member.check.map(check_id), data, source: None }
}

fn snapshot(groups: &[Group]) -> Snapshot {
    let members = |index: usize, group: &Group| -> Vec<RecordSet> {
        match group {
            Group::Simple(member) => vec![record_set(index, 0, RoutingPolicy::Simple, member)],
            Group::Weighted(members) => (members.iter().enumerate())
                .map(|(at, (weight, member))| record_set(index, at, RoutingPolicy::Weighted(*weight), member))
                .collect(),
            Group::Failover(primary, secondary) => {
                let pair = [(FailoverRole::Secondary, secondary), (FailoverRole::Primary, primary)];
                pair.into_iter()
                    .filter_map(|(role, member)| {
                        Some(record_set(
                            index,
                            role as usize,
                            RoutingPolicy::Failover(role),
                            member.as_ref()?,
                        ))
                    })
                    .collect()
            }
            Group::Multivalue(members) => (members.iter().enumerate())
                .map(|(at, (ttl, check, values))| RecordSet {
                    set_id: Some(SetId(at.to_string().into())),
                    policy: RoutingPolicy::Multivalue,
                    check: check.map(check_id),
                    data: RecordData::Values { ttl: Ttl(*ttl), rdatas: rdatas(values) },
                    source: None,
                })
                .collect(),
        }
    };
    let groups = groups.iter().enumerate().map(|(index, group)| {
        ((name(index), RecordType::A), Arc::new(RRsetGroup { members: members(index, group) }))
    });
    let zone = Zone {
        id: ZoneId("Z1".into()),
        apex: Name::from_route53("example.com").unwrap(),
        groups: groups.collect(),
    };
    Snapshot {
        revision: Revision(1),
        zones: [(zone.id.clone(), Arc::new(zone))].into(),
        ..Snapshot::default()
    }
}

/// How likely each of some members is drawn, given their weights.
type Shares<'a> = &'a dyn Fn(&[(u8, Member)]) -> Vec<BigRational>;

/// Answers with their probabilities.
type Odds = BTreeMap<Outcome, BigRational>;

/// Adds a share of other odds.
fn add(odds: &mut Odds, share: &BigRational, other: &Odds) {
    for (outcome, p) in other {
        *odds.entry(outcome.clone()).or_insert_with(BigRational::zero) += share * p;
    }
}

fn surely(outcome: Outcome) -> Odds {
    [(outcome, BigRational::one())].into()
}

/// The procedure of R-72: draw a member by policy; if it is unhealthy drop it and draw again from the rest; if none is left, back out; at
/// the top, or below an alias that does not evaluate its target, treat all as healthy.
struct Procedure<'a> {
    groups: &'a [Group],
    healthy: [bool; CHECKS],
    seen: HashMap<(usize, bool), Option<Odds>>,
}

impl Procedure<'_> {
    /// None: backed out.
    fn answer(&mut self, group: usize, may_back_out: bool) -> Option<Odds> {
        if let Some(seen) = self.seen.get(&(group, may_back_out)) {
            return seen.clone();
        }
        let odds = match self.groups.get(group).cloned() {
            None if may_back_out => None,
            None => Some(surely(Outcome::NoData)),
            Some(Group::Multivalue(members)) => self.together(&members, may_back_out),
            Some(Group::Simple(member)) => self.in_turn(group, &[(1, member)], may_back_out, &one_of),
            Some(Group::Weighted(members)) => self.in_turn(group, &members, may_back_out, &by_weight),
            Some(Group::Failover(primary, secondary)) => {
                let members: Vec<_> =
                    primary.into_iter().chain(secondary).map(|member| (1, member)).collect();
                self.in_turn(group, &members, may_back_out, &one_of)
            }
        };
        self.seen.insert((group, may_back_out), odds.clone());
        odds
    }

    fn in_turn(
        &mut self,
        group: usize,
        members: &[(u8, Member)],
        may_back_out: bool,
        shares: Shares<'_>,
    ) -> Option<Odds> {
        let drawn = self.draw(group, members, shares);
        if drawn.is_some() || may_back_out {
            return drawn;
        }
        let mut odds = Odds::new();
        for ((_, member), share) in members.iter().zip(shares(members)) {
            // Whatever it leads to is treated so for itself.
            let of_member = match &member.data {
                Data::Values(values) => surely(Outcome::Set(TTL, rdatas(values))),
                Data::Alias { further, .. } => self.answer(group + further, false)?,
            };
            add(&mut odds, &share, &of_member);
        }
        odds.retain(|_, p| !p.is_zero());
        Some(odds)
    }

    fn draw(&mut self, group: usize, members: &[(u8, Member)], shares: Shares<'_>) -> Option<Odds> {
        if members.is_empty() {
            return None;
        }
        let mut odds = Odds::new();
        for (at, share) in shares(members).into_iter().enumerate() {
            if share.is_zero() {
                continue;
            }
            let member = &members[at].1;
            let passes = member.check.is_none_or(|check| self.healthy[check]);
            let of_member = match &member.data {
                _ if !passes => None,
                Data::Values(values) => Some(surely(Outcome::Set(TTL, rdatas(values)))),
                Data::Alias { further, evaluate } => self.answer(group + further, *evaluate),
            };
            let of_member = match of_member {
                Some(odds) => odds,
                None => {
                    let rest: Vec<_> = [&members[..at], &members[at + 1..]].concat();
                    self.draw(group, &rest, shares)?
                }
            };
            add(&mut odds, &share, &of_member);
        }
        Some(odds)
    }

    fn together(&self, members: &[(u32, Option<usize>, Vec<u8>)], may_back_out: bool) -> Option<Odds> {
        let passing =
            |member: &&(u32, Option<usize>, Vec<u8>)| member.1.is_none_or(|check| self.healthy[check]);
        let mut pool: Vec<_> = members.iter().filter(passing).collect();
        if pool.is_empty() {
            if may_back_out {
                return None;
            }
            pool = members.iter().collect();
        }
        let ttl = Ttl(members.iter().map(|member| member.0).min()?);
        if pool.len() <= 8 {
            let values: std::collections::BTreeSet<u8> =
                pool.iter().flat_map(|member| member.2.clone()).collect();
            return Some(surely(Outcome::Set(ttl, rdatas(&values.into_iter().collect::<Vec<_>>()))));
        }
        let mut sets: Vec<_> = pool.iter().map(|member| rdatas(&member.2)).collect();
        sets.sort();
        Some(surely(Outcome::Choose(ttl, sets.into())))
    }
}

/// The first of those that are left.
fn one_of(members: &[(u8, Member)]) -> Vec<BigRational> {
    (0..members.len()).map(|at| BigRational::from(BigInt::from(u8::from(at == 0)))).collect()
}

///
fn by_weight(members: &[(u8, Member)]) -> Vec<BigRational> {
    let sum: u32 = members.iter().map(|member| u32::from(member.0)).sum();
    let share = |weight: u32, of: u32| BigRational::new(weight.into(), of.into());
    let each = |member: &(u8, Member)| match sum {
        0 => share(1, members.len() as u32),
        _ => share(member.0.into(), sum),
    };
    members.iter().map(each).collect()
}

fn odds_of(compiler: &Compiler, index: GroupIndex, health: Health<'_>) -> Odds {
    compiler.distribution(index, UNKNOWN, health).outcomes().iter().cloned().collect()
}

proptest! {
    #[test]
    fn distributions_and_flips_follow_the_rules(
        groups in prop::collection::vec(group(), 1..=GROUPS),
        healthy in any::<[bool; CHECKS]>(),
        flips in prop::collection::vec(prop::collection::btree_set(0..CHECKS, 0..3), 0..6),
    ) {
        let snapshot = snapshot(&groups);
        let indices = || (0..groups.len() as u32).map(GroupIndex);
        let status = |healthy: [bool; CHECKS]| move |check: &CheckId| {
            (0..CHECKS).find(|index| check_id(*index) == *check).is_none_or(|index| healthy[index])
        };
        let mut healthy = healthy;
        let mut compiler = Compiler::new(&snapshot, &status(healthy), Generation(1));
        prop_assert_eq!(compiler.findings(), &[]);

        for (step, flipped) in std::iter::once(None).chain(flips.into_iter().map(Some)).enumerate() {
            if let Some(flipped) = flipped {
                let before = compiler.table().clone();
                flipped.iter().for_each(|check| healthy[*check] ^= true);
                // One that did not change, and one that nobody uses, must not matter.
                let told: Vec<CheckId> = flipped.iter().copied().chain([0, CHECKS]).map(check_id).collect();
                let generation = Generation(step as u64 + 1);
                let mut touched = compiler.flip(&told, &status(healthy), generation);
                touched.sort();
                let differs = |index: &GroupIndex| before.plan(*index) != compiler.table().plan(*index);
                prop_assert_eq!(&touched, &indices().filter(differs).collect::<Vec<_>>());
                for index in indices().filter(|index| !touched.contains(index)) {
                    prop_assert!(Arc::ptr_eq(before.plan(index), compiler.table().plan(index)));
                }
                prop_assert_eq!(compiler.table().generation(), generation);
                let anew = Compiler::new(&snapshot, &status(healthy), generation);
                for index in indices() {
                    prop_assert_eq!(compiler.table().plan(index), anew.table().plan(index));
                }
            }
            let mut procedure = Procedure { groups: &groups, healthy, seen: HashMap::new() };
            for index in indices() {
                let (owner, _) = compiler.question(index);
                let group = (0..groups.len()).find(|group| name(*group) == *owner).unwrap();
                let expected = procedure.answer(group, false).unwrap();
                prop_assert_eq!(odds_of(&compiler, index, &status(healthy)), expected, "g{}", group);
            }
        }
    }
}
