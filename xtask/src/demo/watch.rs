//! Asks for a few names about every millisecond, from the client's side, and notes when a dead endpoint was last named.

use std::collections::HashSet;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::dns;
use super::network::Namespace;

/// Between one round of questions and the next.
const PACE: Duration = Duration::from_millis(1);
/// How long an answer is waited for before the next question; a later one still counts as answered.
const PATIENCE: Duration = Duration::from_millis(50);
/// How long late answers are waited for at the end.
const LAST_PATIENCE: Duration = Duration::from_millis(500);
/// A name that still gave the dead endpoint's address so shortly before the end has not moved.
const STILL: Duration = Duration::from_millis(500);

/// Watches until stopped or dropped.
pub struct Watch {
    notes: Arc<Mutex<Notes>>,
    thread: Option<JoinHandle<Result<()>>>,
}

struct Notes {
    stop: bool,
    names: Vec<Name>,
    death: Option<(Ipv4Addr, Instant)>,
    sent: u64,
    /// Of questions not answered yet.
    unanswered: HashSet<u16>,
    /// Questions whose id came around again before an answer did.
    given_up: u64,
}

struct Name {
    name: String,
    latest: Vec<Ipv4Addr>,
    /// When an answer last named the endpoint, after its death.
    last_naming: Option<Instant>,
    /// When an answer last did not, after its death.
    last_other: Option<Instant>,
}

/// What was seen in the end.
pub struct Watched {
    /// In the order of the names.
    pub ends: Vec<End>,
    pub sent: u64,
    pub lost: u64,
}

/// How it ended with a name that the dead endpoint was answered for.
#[derive(Debug, PartialEq)]
pub enum End {
    /// From the endpoint's death to the last answer that named it; others followed.
    Moved(Duration),
    StillNamed,
    Unanswered,
}

impl Name {
    fn end(&self, death: Option<(Ipv4Addr, Instant)>, now: Instant) -> End {
        match (death, self.last_naming, self.last_other) {
            (Some((_, death)), Some(last), Some(other)) if last < other && last + STILL < now => {
                End::Moved(last - death)
            }
            (Some(_), Some(_), _) => End::StillNamed,
            (Some(_), None, Some(_)) => End::Moved(Duration::ZERO),
            _ => End::Unanswered,
        }
    }
}

impl Watch {
    pub fn start(client: &Namespace, server: SocketAddr, names: &[&str]) -> Result<Self> {
        let socket = client.within(|| {
            let socket = UdpSocket::bind("0.0.0.0:0").context("opening the watcher's socket")?;
            socket.connect(server).with_context(|| format!("directing the watcher at {server}"))?;
            Ok(socket)
        })?;
        let names = names.iter().map(|name| Name {
            name: (*name).to_owned(),
            latest: Vec::new(),
            last_naming: None,
            last_other: None,
        });
        let notes = Arc::new(Mutex::new(Notes {
            stop: false,
            names: names.collect(),
            death: None,
            sent: 0,
            unanswered: HashSet::new(),
            given_up: 0,
        }));
        let shared = Arc::clone(&notes);
        let thread = std::thread::spawn(move || watch(&socket, &shared));
        Ok(Self { notes, thread: Some(thread) })
    }

    /// Whether every name has an answer by now.
    pub fn all_answered(&self) -> bool {
        lock(&self.notes).names.iter().all(|name| !name.latest.is_empty())
    }

    /// Counts anew: what was asked until now was asked of a server that had not said it was ready.
    pub fn count_from_here(&self) {
        let mut notes = lock(&self.notes);
        (notes.sent, notes.given_up) = (0, 0);
        notes.unanswered.clear();
    }

    /// From now on answers that name this endpoint are late.
    pub fn note_death(&self, endpoint: Ipv4Addr) {
        lock(&self.notes).death = Some((endpoint, Instant::now()));
    }

    /// Each name, and its latest answer.
    pub fn latest(&self) -> Vec<(String, String)> {
        let told =
            |addresses: &[Ipv4Addr]| addresses.iter().map(Ipv4Addr::to_string).collect::<Vec<_>>().join(", ");
        lock(&self.notes).names.iter().map(|name| (name.name.clone(), told(&name.latest))).collect()
    }

    /// Ends the watch and tells what was seen.
    pub fn stop(mut self) -> Result<Watched> {
        let ended = Instant::now();
        self.end()?;
        let notes = lock(&self.notes);
        Ok(Watched {
            ends: notes.names.iter().map(|name| name.end(notes.death, ended)).collect(),
            sent: notes.sent,
            lost: notes.given_up + notes.unanswered.len() as u64,
        })
    }

    fn end(&mut self) -> Result<()> {
        lock(&self.notes).stop = true;
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(outcome)) => outcome,
            Some(Err(_)) => bail!("the watcher panicked; see above"),
            None => Ok(()),
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // Whatever it saw no longer matters; it must only be gone before its namespace.
        let _ = self.end();
    }
}

fn lock(notes: &Mutex<Notes>) -> MutexGuard<'_, Notes> {
    notes.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn watch(socket: &UdpSocket, notes: &Mutex<Notes>) -> Result<()> {
    let names: Vec<String> = lock(notes).names.iter().map(|name| name.name.clone()).collect();
    let mut id = 0_u16;
    let mut asked = vec![0_usize; usize::from(u16::MAX) + 1];
    let mut next = Instant::now();
    while !lock(notes).stop {
        for (which, name) in names.iter().enumerate() {
            id = id.wrapping_add(1);
            asked[usize::from(id)] = which;
            {
                let mut notes = lock(notes);
                notes.sent += 1;
                if !notes.unanswered.insert(id) {
                    notes.given_up += 1;
                }
            }
            match socket.send(&dns::question(id, name)) {
                // Before the server listens its host says so; what was asked then does not count.
                Err(error) if error.kind() != ErrorKind::ConnectionRefused => {
                    return Err(error).context("asking from the watcher");
                }
                _ => {}
            }
            note_answers(socket, notes, &asked, Some(id), PATIENCE)?;
        }
        next = (next + PACE).max(Instant::now());
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    note_answers(socket, notes, &asked, None, LAST_PATIENCE)
}

/// Notes what comes in, until the answer to `awaited` has, or all answers have, or patience ends.
fn note_answers(
    socket: &UdpSocket,
    notes: &Mutex<Notes>,
    asked: &[usize],
    awaited: Option<u16>,
    patience: Duration,
) -> Result<()> {
    let until = Instant::now() + patience;
    let mut buffer = [0; 1500];
    loop {
        {
            let notes = lock(notes);
            if awaited.map_or(notes.unanswered.is_empty(), |id| !notes.unanswered.contains(&id)) {
                return Ok(());
            }
        }
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        socket.set_read_timeout(Some(left)).context("setting the watcher's patience")?;
        let length = match socket.recv(&mut buffer) {
            Ok(length) => length,
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted => continue,
                ErrorKind::ConnectionRefused => return Ok(()),
                _ => return Err(error).context("receiving at the watcher"),
            },
        };
        let now = Instant::now();
        let Some(response) = dns::response(&buffer[..length]) else { continue };
        let mut notes = lock(notes);
        if !notes.unanswered.remove(&response.id) {
            continue;
        }
        let death = notes.death;
        let name = &mut notes.names[asked[usize::from(response.id)]];
        match death {
            Some((endpoint, _)) if response.addresses.contains(&endpoint) => name.last_naming = Some(now),
            Some(_) => name.last_other = Some(now),
            None => {}
        }
        name.latest = response.addresses;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_moved_only_if_others_answer_for_it() {
        let death = Instant::now();
        let at = |ms| death + Duration::from_millis(ms);
        let end = |last_naming: Option<u64>, last_other: Option<u64>| {
            let name = Name {
                name: String::new(),
                latest: Vec::new(),
                last_naming: last_naming.map(at),
                last_other: last_other.map(at),
            };
            name.end(Some((Ipv4Addr::LOCALHOST, death)), at(5000))
        };
        assert_eq!(end(Some(150), Some(4999)), End::Moved(Duration::from_millis(150)));
        assert_eq!(end(None, Some(4999)), End::Moved(Duration::ZERO));
        assert_eq!(end(Some(4800), Some(4999)), End::StillNamed);
        assert_eq!(end(Some(150), Some(100)), End::StillNamed);
        assert_eq!(end(None, None), End::Unanswered);
    }
}
