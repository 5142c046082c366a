//! Places for TCP connections: so many in all, so many a client, and who leaves when all are taken.
//!
//! Whoever opens connections and says nothing must not keep others from being answered. So a newcomer who finds every place taken gets that of a
//! connection that has sent no message since it was last looked at (the clock algorithm, second chance), whosever it is.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// All places of a server.
#[derive(Debug)]
pub(super) struct Places {
    max: usize,
    per_client_max: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    count: usize,
    by_client: HashMap<IpAddr, usize>,
    /// In the order of the clock's hand; who has left stays until the hand comes by.
    seats: VecDeque<Arc<Seat>>,
}

/// A connection as others see it.
#[derive(Debug)]
struct Seat {
    client: IpAddr,
    /// Whether a message has come since the hand came by.
    used: AtomicBool,
    /// Whether the place is another's, or nobody's. Changes under the lock.
    left: AtomicBool,
    wanted: Notify,
}

/// A connection's place; dropping it makes room.
#[derive(Debug)]
pub(super) struct Place {
    places: Arc<Places>,
    seat: Arc<Seat>,
    took_anothers: bool,
}

impl Places {
    pub(super) fn new(max: usize, per_client_max: usize) -> Arc<Self> {
        Arc::new(Self { max, per_client_max, taken: Mutex::default() })
    }

    /// A place for a client's connection; none if the client has its share, or if nobody has been idle.
    pub(super) fn take(self: &Arc<Self>, client: IpAddr) -> Option<Place> {
        let mut taken = self.taken();
        if taken.by_client.get(&client).is_some_and(|count| *count >= self.per_client_max) {
            return None;
        }
        let took_anothers = taken.count >= self.max;
        if took_anothers {
            taken.displace()?;
        }
        taken.count += 1;
        *taken.by_client.entry(client).or_default() += 1;
        let seat = Arc::new(Seat {
            client,
            used: AtomicBool::new(true),
            left: AtomicBool::new(false),
            wanted: Notify::new(),
        });
        // The hand does not come by as long as there is room.
        if taken.seats.len() > 2 * self.max {
            taken.seats.retain(|seat| !seat.left.load(Ordering::Relaxed));
        }
        taken.seats.push_back(seat.clone());
        Some(Place { places: self.clone(), seat, took_anothers })
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    /// Takes the place of a connection that was idle since the hand came by; the second round finds one unless messages come meanwhile.
    fn displace(&mut self) -> Option<()> {
        for _ in 0..2 * self.seats.len() {
            let seat = self.seats.pop_front()?;
            if seat.left.load(Ordering::Relaxed) {
                continue;
            }
            if seat.used.swap(false, Ordering::Relaxed) {
                self.seats.push_back(seat);
                continue;
            }
            self.leave(&seat);
            seat.wanted.notify_one();
            return Some(());
        }
        None
    }

    fn leave(&mut self, seat: &Seat) {
        if seat.left.swap(true, Ordering::Relaxed) {
            return;
        }
        self.count -= 1;
        if let Some(count) = self.by_client.get_mut(&seat.client) {
            *count -= 1;
            if *count == 0 {
                self.by_client.remove(&seat.client);
            }
        }
    }
}

impl Place {
    /// Notes that a message has come.
    pub(super) fn use_it(&self) {
        self.seat.used.store(true, Ordering::Relaxed);
    }

    /// Waits until the place is another's.
    pub(super) async fn wanted(&self) {
        self.seat.wanted.notified().await;
    }

    /// Whether somebody had to leave for this.
    pub(super) fn took_anothers(&self) -> bool {
        self.took_anothers
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.taken().leave(&self.seat);
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn client(last: u8) -> IpAddr {
        Ipv4Addr::new(192, 0, 2, last).into()
    }

    async fn is_wanted(place: &Place) -> bool {
        tokio::select! {
            biased;
            () = place.wanted() => true,
            () = std::future::ready(()) => false,
        }
    }

    #[tokio::test]
    async fn who_is_idle_leaves_first() {
        let places = Places::new(3, 2);
        let [idle, busy, late] = [1, 2, 3].map(|last| places.take(client(last)).expect("there is room"));
        // All came just now, so the first round finds nobody, and the second the first in line.
        let next = places.take(client(4)).expect("an idle one leaves");
        assert!(next.took_anothers() && is_wanted(&idle).await);
        busy.use_it();
        let last = places.take(client(5)).expect("an idle one leaves");
        assert!(last.took_anothers() && is_wanted(&late).await && !is_wanted(&busy).await);
        // Who was displaced gives back nothing when it ends.
        drop((idle, late));
        assert!(places.take(client(6)).is_some_and(|place| place.took_anothers()));
        drop((busy, next, last));
        assert_eq!(places.taken().count, 0);
        assert!(places.taken().by_client.is_empty());
    }

    #[test]
    fn a_client_has_its_share_and_no_more() {
        let places = Places::new(8, 2);
        let held: Vec<Place> = (0..2).filter_map(|_| places.take(client(1))).collect();
        assert_eq!(held.len(), 2);
        assert!(places.take(client(1)).is_none());
        drop(held);
        assert!(places.take(client(1)).is_some());
    }

    #[test]
    fn who_has_left_is_forgotten() {
        let places = Places::new(4, 4);
        for _ in 0..1000 {
            places.take(client(1)).expect("there is room");
        }
        assert!(places.taken().seats.len() <= 9);
    }
}
