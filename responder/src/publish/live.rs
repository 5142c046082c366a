//! The settings of replies that change while the agent runs, as the kernel half is told them.

use crate::datapath::{Live, LiveCookies, LiveLimit};
use crate::serve::cookies::Cookies;
use crate::serve::limiter::RateLimit;
use crate::serve::reply::ReplySettings;

/// What the kernel half is to answer as userspace does.
pub fn live(reply: &ReplySettings) -> Live {
    Live {
        nsid: reply.nsid.is_some(),
        cookies: reply.cookies.map(|Cookies { secrets, required }| LiveCookies { secrets, required }),
        limit: reply.limiter.as_ref().map(|limiter| {
            let RateLimit { slip, ipv4_prefix, ipv6_prefix, ref exempt, .. } = *limiter.settings();
            LiveLimit {
                budget: limiter.budget(),
                slip,
                seed: limiter.seed(),
                ipv4_prefix,
                ipv6_prefix,
                exempt: exempt.clone(),
                buckets: limiter.buckets().clone(),
            }
        }),
    }
}
