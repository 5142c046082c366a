//! The compiler against the procedure of R-72 played out in full, and every flip against compiling anew.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{One, Zero};
use proptest::prelude::*;

use super::random::{
    CHECKS, Data, Group, Member, TTL, World, check_id, checks_below, client, group, groups,
    groups_of_every_policy, name, rdatas, reaches, set_id, snapshot, status, world,
};
use super::*;
use crate::geo::{Client, EARTH_RADIUS_KM, Network, distance_km};
use crate::model::policy::GeoLocation;
use crate::model::{RoutingPolicy, Ttl};

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
    client: &'a Client,
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
            Some(Group::Placed(members)) => {
                let order = preferred(&members, self.client);
                let members: Vec<_> = order.into_iter().map(|at| (1, members[at].1.clone())).collect();
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
        if members.is_empty() {
            return Some(surely(Outcome::NoData));
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

/// Members that may answer a client, best first, by the text of.
fn preferred(members: &[(RoutingPolicy, Member)], client: &Client) -> Vec<usize> {
    let location = client.location();
    let mut order: Vec<(Vec<f64>, String, usize)> = Vec::new();
    for (at, (policy, _)) in members.iter().enumerate() {
        let yes = |holds: bool| if holds { 0.0 } else { 1.0 };
        let (rank, tie) = match policy {
            RoutingPolicy::Geolocation(place) => {
                let rank = match place {
                    GeoLocation::Subdivision(state) => {
                        location.subdivision().filter(|known| ***known == **state).map(|_| 0.0)
                    }
                    GeoLocation::Country(code) => {
                        location.country().filter(|known| known == code).map(|_| 1.0)
                    }
                    GeoLocation::Continent(code) => {
                        location.continent().filter(|known| known == code).map(|_| 2.0)
                    }
                    GeoLocation::Default => Some(3.0),
                };
                let Some(rank) = rank else { continue };
                (vec![rank], String::new())
            }
            RoutingPolicy::Cidr { collection, location } => {
                let matching: Vec<&str> = client.cidr_locations(collection).chain(["*"]).collect();
                let Some(rank) = matching.iter().position(|found| found == location) else { continue };
                (vec![rank as f64], String::new())
            }
            RoutingPolicy::Latency(region) => {
                let in_china = location.country() == Some(*b"CN") && region == "cn-north-1";
                let ms = client.latency(region).map(|latency| latency.as_ms());
                (vec![yes(in_china), yes(ms.is_some()), ms.unwrap_or(0.0)], region.clone())
            }
            RoutingPolicy::Geoproximity { place, bias } => {
                let distance = match (location.coordinates(), client.coordinates_of(place)) {
                    (None, _) => 1.0,
                    (Some(here), Some(there)) => distance_km(here, there),
                    // Nowhere on the globe.
                    (Some(_), None) => 1e9 * EARTH_RADIUS_KM,
                };
                let share = f64::from(*bias) / 100.0;
                let biased = if *bias >= 0 { distance * (1.0 - share) } else { distance / (1.0 + share) };
                (vec![biased], set_id(at).0.to_string())
            }
            _ => unreachable!("other policies do not look at the client"),
        };
        order.push((rank, tie, at));
    }
    order.sort_by(|a, b| a.partial_cmp(b).unwrap());
    order.into_iter().map(|(_, _, at)| at).collect()
}

fn odds_of(compiler: &Compiler, index: GroupIndex, class: u16) -> Odds {
    compiler.distribution(index, class).outcomes().into_iter().collect()
}

/// Which of the random groups this is.
fn number_of(compiler: &Compiler, groups: &[Group], index: GroupIndex) -> usize {
    let (owner, _) = compiler.question(index);
    (0..groups.len()).find(|group| name(*group) == *owner).unwrap()
}

/// Some health, then other health again and again: which checks change each time.
type History = ([bool; CHECKS], Vec<BTreeSet<usize>>);

fn history(changes: std::ops::Range<usize>) -> impl Strategy<Value = History> {
    let flips = prop::collection::vec(prop::collection::btree_set(0..CHECKS, 0..3), changes);
    (any::<[bool; CHECKS]>(), flips)
}

/// At every step the compiler that followed equals one that starts there, has touched no more than it had to, and answers every
/// client as the procedure does.
fn follow_the_rules(
    groups: &[Group],
    world: &World,
    clients: &[Network],
    (mut healthy, flips): History,
) -> Result<(), TestCaseError> {
    let (snapshot, geo) = (snapshot(groups, world), world.geo());
    let indices = || (0..groups.len() as u32).map(GroupIndex);
    let mut compiler = Compiler::with_geo(&snapshot, &geo, &status(healthy), Generation(1));
    prop_assert_eq!(compiler.findings(), &[]);
    for (step, flipped) in std::iter::once(None).chain(flips.into_iter().map(Some)).enumerate() {
        if let Some(flipped) = flipped {
            let before = compiler.table().clone();
            flipped.iter().for_each(|check| healthy[*check] ^= true);
            let flipped: Vec<CheckId> = flipped.into_iter().map(check_id).collect();
            // One that did not change, and one that nobody uses, must not matter.
            let told: Vec<CheckId> = flipped.iter().cloned().chain([0, CHECKS].map(check_id)).collect();
            let generation = Generation(step as u64 + 1);
            let mut touched = compiler.flip(&told, &status(healthy), generation);
            touched.sort();
            prop_assert_eq!(compiler.table().generation(), generation);
            let differs = |index: &GroupIndex| before.plan(*index) != compiler.table().plan(*index);
            prop_assert_eq!(&touched, &indices().filter(differs).collect::<Vec<_>>());

            let anew = Compiler::with_geo(&snapshot, &geo, &status(healthy), generation);
            let dependents = compiler.dependents(&flipped);
            for index in indices() {
                prop_assert_eq!(compiler.table().plan(index), anew.table().plan(index));
                prop_assert_eq!(compiler.evaluations(index), anew.evaluations(index));
                if !touched.contains(&index) {
                    prop_assert!(Arc::ptr_eq(before.plan(index), compiler.table().plan(index)));
                }
                let below = checks_below(groups, number_of(&compiler, groups, index));
                let depends = below.iter().any(|check| flipped.contains(&check_id(*check)));
                prop_assert_eq!(dependents.contains(&index), depends);
            }
        }
        for network in clients {
            let client = Client::at(&geo, &snapshot.collections, *network);
            let class = compiler.table().clients().map.class_of_network(*network);
            let mut procedure = Procedure { groups, client: &client, healthy, seen: HashMap::new() };
            for index in indices() {
                let group = number_of(&compiler, groups, index);
                let expected = procedure.answer(group, false).unwrap();
                let odds = odds_of(&compiler, index, class);
                prop_assert_eq!(odds, expected, "g{} for {:?}", group, network);
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// other records in one place change no answers but of those that lead there.
    #[test]
    fn a_change_of_records_affects_those_that_lead_to_them(
        groups in groups(),
        other in group(),
        at in any::<prop::sample::Index>(),
        healthy in any::<[bool; CHECKS]>(),
    ) {
        let mut changed = groups.clone();
        let at = at.index(groups.len());
        changed[at] = other;
        let compile = |groups: &[Group]| {
            Compiler::new(&snapshot(groups, &World::unknown()), &status(healthy), Generation(1))
        };
        let (before, after) = (compile(&groups), compile(&changed));
        for index in (0..groups.len() as u32).map(GroupIndex) {
            if before.table().plan(index) != after.table().plan(index) {
                let number = number_of(&before, &groups, index);
                prop_assert!(reaches(&groups, number, at) && reaches(&changed, number, at), "g{}", number);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn answers_and_flips_follow_the_rules(groups in groups(), client in client(), history in history(0..6)) {
        follow_the_rules(&groups, &World::unknown(), &[client], history)?;
    }
}

proptest! {
    // A client map is large, so there are fewer of these, with more clients each.
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn answers_and_flips_follow_the_rules_wherever_clients_are(
        groups in groups_of_every_policy(),
        world in world(),
        clients in prop::collection::btree_set(client(), 4..10),
        history in history(0..4),
    ) {
        let clients: Vec<Network> = clients.into_iter().collect();
        follow_the_rules(&groups, &world, &clients, history)?;
    }
}

#[test]
fn aliases_to_one_group_share_what_it_is_answered_with() {
    let values = |value| Member { check: Some(usize::from(value)), data: Data::Values(vec![value]) };
    let alias =
        |further| Group::Simple(Member { check: None, data: Data::Alias { further, evaluate: true } });
    let weighted = Group::Weighted((0..3).map(|value| (1 + value, values(value))).collect());
    let groups = [alias(2), alias(1), weighted];
    let mut compiler =
        Compiler::new(&snapshot(&groups, &World::unknown()), &status([true; CHECKS]), Generation(1));
    let plans = |compiler: &Compiler| [0, 1, 2].map(|index| compiler.table().plan(GroupIndex(index)).clone());
    for first in [true, false, true] {
        let mut healthy = [true; CHECKS];
        healthy[0] = first;
        let generation = compiler.table().generation().next();
        compiler.flip(&[check_id(0)], &status(healthy), generation);
        let [a, b, c] = plans(&compiler);
        assert!(Arc::ptr_eq(&a, &b) && Arc::ptr_eq(&b, &c));
        let Plan::ByWeight(weights) = &*a else { panic!("{a:?}") };
        assert_eq!(weights.bodies.len(), if first { 3 } else { 2 });
    }
}
