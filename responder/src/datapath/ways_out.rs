//! By which interfaces replies may leave that the kernel routes, other than the one where the query came in.
//!
//! A program hands a reply over to another interface, whose driver must take it: otherwise it is lost, and nobody is told. So only interfaces count
//! of which that is known; what would leave by others, userspace replies.

use pulse53_abi::limits::WAYS_OUT_MAX;
use pulse53_abi::live::LiveSettings;

use super::attach::{Attached, Mode};

/// What a driver does in native mode with packets that programs send by another interface than they came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Redirects {
    /// Hands over those that came in here.
    pub hands_over: bool,
    /// Takes those that came in elsewhere.
    pub takes: bool,
}

/// Where replies go.
#[derive(Debug, Clone, Copy)]
pub enum ReplyRoute {
    /// To who sent the query, where it came in.
    Sender,
    /// Where the kernel's routes lead; this tells what the driver of an interface does.
    Kernel(fn(&str) -> Redirects),
}

impl ReplyRoute {
    /// Whether routes decide.
    pub fn is_routed(self) -> bool {
        matches!(self, Self::Kernel(_))
    }

    /// Tells the kernel half by which of the interfaces replies may leave, as things are.
    pub(super) fn write(self, attached: &[Attached], to: &LiveSettings) {
        let Self::Kernel(ask) = self else { return };
        let ways_out = ways_out(attached.iter().map(|on| (on.index(), on.mode, ask(&on.interface))));
        let numbers = ways_out.into_iter().chain(std::iter::repeat(0));
        to.ways_out.iter().zip(numbers).for_each(|(word, number)| {
            let number = u64::from(number);
            if word.load() != number {
                word.store(number);
            }
        });
    }
}

/// The numbers of the interfaces that take packets from each of the others. In generic mode each does, from those in that mode; the kernel tells no
/// native program which of the two another interface has.
fn ways_out(attached: impl Iterator<Item = (u32, Mode, Redirects)>) -> Vec<u32> {
    let attached: Vec<_> = attached.collect();
    let is_native = |mode: Mode| mode == Mode::Native;
    if attached.iter().any(|(_, mode, redirects)| is_native(*mode) && !redirects.hands_over) {
        return Vec::new();
    }
    let is_any_native = attached.iter().any(|(_, mode, _)| is_native(*mode));
    let takes = |mode: Mode, redirects: Redirects| {
        if is_any_native { is_native(mode) && redirects.takes } else { true }
    };
    let taking = attached.iter().filter(|(_, mode, redirects)| takes(*mode, *redirects));
    let numbers: Vec<u32> = taking.map(|(number, ..)| *number).collect();
    if numbers.len() > WAYS_OUT_MAX {
        tracing::debug!(WAYS_OUT_MAX, "replies may leave by no more interfaces");
    }
    numbers
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: Redirects = Redirects { hands_over: true, takes: true };
    const NEITHER: Redirects = Redirects { hands_over: false, takes: false };

    #[test]
    fn replies_leave_by_interfaces_that_take_them_from_all_others() {
        let of = |attached: &[(u32, Mode, Redirects)]| ways_out(attached.iter().copied());
        assert_eq!(of(&[(7, Mode::Native, BOTH), (8, Mode::Native, BOTH)]), [7, 8]);
        assert_eq!(of(&[(7, Mode::Generic, NEITHER), (8, Mode::Generic, NEITHER)]), [7, 8]);
        // A native driver hands nothing to an interface that has generic XDP alone.
        assert_eq!(of(&[(7, Mode::Native, BOTH), (8, Mode::Generic, BOTH)]), [7]);
        let deaf = Redirects { takes: false, ..BOTH };
        assert_eq!(of(&[(7, Mode::Native, deaf), (8, Mode::Native, BOTH)]), [8]);
        // What comes in at the first would be dropped there.
        assert_eq!(of(&[(7, Mode::Native, NEITHER), (8, Mode::Native, BOTH)]), Vec::<u32>::new());
    }
}
