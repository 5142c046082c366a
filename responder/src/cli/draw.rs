//! An explanation as a drawn tree.

use pulse53_core::explain::{
    AnswerTold, ClientTold, DataTold, Explanation, Found, GroupTold, MemberTold, OutcomeTold, Share,
};

use super::paint::Paint;

/// Values in one line; more are counted.
const VALUES_MAX: usize = 8;

/// The whole of it, ending in a newline.
pub fn draw(explanation: &Explanation, paint: Paint) -> String {
    let mut drawing = Drawing {
        explanation,
        paint,
        out: String::new(),
        answering: answering(explanation),
        drawn: Vec::new(),
    };
    drawing.head();
    if explanation.groups.is_empty() {
        let why = match explanation.found {
            Found::NoType => format!("the name exists, and has no {} record", explanation.rtype),
            Found::Delegated => "the name is delegated to the servers of a zone below".to_owned(),
            Found::Redirected => "a DNAME above the name leads elsewhere".to_owned(),
            Found::Any => "type ANY gets one HINFO record, whatever the name has (RFC 8482)".to_owned(),
            Found::Keys => "the zone is signed with these keys".to_owned(),
            Found::Group => String::new(),
        };
        drawing.line("", &why);
    } else {
        drawing.group(0, "", true);
    }
    drawing.line("", "");
    drawing.answers();
    let path = match (&explanation.path.why, explanation.path.kernel) {
        (None, true) => paint.good("kernel"),
        (Some(why), true) => format!("{}, {why}", paint.good("kernel")),
        (Some(why), false) => format!("{}: {why}", paint.notable("userspace")),
        (None, false) => paint.notable("userspace"),
    };
    drawing.field("path", &path);
    drawing.out
}

struct Drawing<'a> {
    explanation: &'a Explanation,
    paint: Paint,
    out: String,
    /// Groups that the answer may come from.
    answering: Vec<bool>,
    /// Groups whose members have been shown.
    drawn: Vec<usize>,
}

/// Which groups the answer may come from.
fn answering(explanation: &Explanation) -> Vec<bool> {
    let groups = &explanation.groups;
    let mut answering = vec![false; groups.len()];
    let mut pending = vec![0];
    while let Some(at) = pending.pop() {
        if answering.get(at) != Some(&false) {
            continue;
        }
        answering[at] = true;
        let chosen = groups[at].members.iter().filter(|member| member.share.percent > 0.0);
        pending.extend(chosen.filter_map(|member| match member.data {
            DataTold::Alias { target, .. } => target,
            DataTold::Values { .. } => None,
        }));
    }
    answering
}

impl Drawing<'_> {
    fn line(&mut self, prefix: &str, text: &str) {
        self.out += prefix;
        self.out += text;
        self.out.push('\n');
    }

    fn field(&mut self, heading: &str, text: &str) {
        // Padded before it is painted: escapes have no width.
        let heading = self.paint.strong(format!("{heading:<10}"));
        self.line(&heading, text);
    }

    fn head(&mut self) {
        let told = self.explanation;
        self.field("question", &format!("{} {}", told.name, told.rtype));
        self.field("zone", &told.zone);
        if let Some(owner) = told.owner.as_ref().filter(|owner| **owner != told.name) {
            self.field("owner", &format!("{owner}, the wildcard that covers the name"));
        }
        let client = told
            .client
            .as_ref()
            .map_or_else(|| "unknown; --client ADDRESS says who asks".to_owned(), client_text);
        self.field("client", &client);
        if !told.supposed.is_empty() {
            let status = |healthy| if healthy { "healthy" } else { "unhealthy" };
            let checks: Vec<String> =
                told.supposed.iter().map(|check| format!("{} {}", check.id, status(check.healthy))).collect();
            let text = self.paint.notable(checks.join(", "));
            self.field("what if", &text);
        }
        self.line("", "");
    }

    /// A group's line and its members below; `prefix` stands before each line but the first. A group that is reached on several ways
    /// is shown once, where the answer comes from if it does; `answers` says whether that is here.
    fn group(&mut self, at: usize, prefix: &str, answers: bool) {
        let Some(group) = self.explanation.groups.get(at) else { return };
        let heading = self.paint.strong(format!("{} {}", group.name, group.rtype));
        let state = self.group_state(group);
        if self.drawn.contains(&at) {
            self.line("", &format!("{heading}  {}, {state}, as above", group.policy));
            return;
        }
        if self.answering[at] && !answers {
            self.line("", &format!("{heading}  {}, {state}, shown where it answers", group.policy));
            return;
        }
        self.drawn.push(at);
        self.line("", &format!("{heading}  {}, {state}", group.policy));
        for (index, member) in group.members.iter().enumerate() {
            let last = index + 1 == group.members.len();
            let (branch, below) = if last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
            self.member(member, &format!("{prefix}{branch}"), &format!("{prefix}{below}"), answers);
        }
    }

    fn group_state(&self, group: &GroupTold) -> String {
        if group.last_resort {
            self.paint.bad("last resort: no member is healthy, so all count")
        } else if group.healthy {
            self.paint.good("healthy")
        } else {
            self.paint.bad("unhealthy: no member is for this client")
        }
    }

    /// `first` stands before the member's own line, `prefix` before those below.
    fn member(&mut self, member: &MemberTold, first: &str, prefix: &str, answers: bool) {
        let paint = self.paint;
        let mut parts = Vec::new();
        parts.extend(member.set_id.as_ref().map(|id| paint.strong(id)));
        parts.extend(Some(member.says.clone()).filter(|says| !says.is_empty()));
        if member.share.percent > 0.0 {
            parts.push(paint.strong(share_text(&member.share)));
        } else if member.applicable {
            parts.push("0 %".to_owned());
        }
        parts.push(self.member_state(member));
        self.line(first, &parts.join("  "));
        match &member.data {
            DataTold::Values { ttl, values } => {
                self.line(prefix, &format!("{}  TTL {ttl}", values_text(values)));
            }
            DataTold::Alias { name, target, evaluate_target_health, .. } => {
                let looks = if *evaluate_target_health {
                    "evaluates its target"
                } else {
                    "does not evaluate its target"
                };
                match target {
                    None => self.line(prefix, &format!("alias, {looks}: {name} does not exist")),
                    Some(_) if !member.applicable => self.line(prefix, &format!("alias to {name}, {looks}")),
                    Some(target) => {
                        self.line(prefix, &format!("alias, {looks}"));
                        self.out += prefix;
                        self.out += "└─ ";
                        self.group(*target, &format!("{prefix}   "), answers && member.share.percent > 0.0);
                    }
                }
            }
        }
    }

    fn member_state(&self, member: &MemberTold) -> String {
        let why = &member.why;
        match (member.applicable, member.healthy, member.in_pool) {
            (false, ..) => "not for this client".to_owned(),
            (true, true, _) => format!("{}, {why}", self.paint.good("healthy")),
            (true, false, true) => format!("{} {why}", self.paint.bad("unhealthy, but last resort:")),
            (true, false, false) => format!("{} {why}", self.paint.bad("unhealthy, left out:")),
        }
    }

    fn answers(&mut self) {
        let answers = &self.explanation.answers;
        let shares: Vec<String> = answers.iter().map(|answer| share_text(&answer.share)).collect();
        let width = shares.iter().map(|share| share.chars().count()).max().unwrap_or(0);
        for (index, (answer, share)) in answers.iter().zip(&shares).enumerate() {
            let heading = if index == 0 { "answers" } else { "" };
            self.field(heading, &format!("{share:<width$}  {}", answer_text(answer)));
        }
    }
}

fn client_text(client: &ClientTold) -> String {
    let places = [&client.country, &client.subdivision, &client.continent];
    let mut parts: Vec<String> = places.into_iter().flatten().cloned().collect();
    if let (Some(latitude), Some(longitude)) = (client.latitude, client.longitude) {
        parts.push(format!("at {latitude}, {longitude}"));
    }
    let known = if parts.is_empty() { "nothing known of its place".to_owned() } else { parts.join(", ") };
    format!("{} ({}): {known}", client.address, client.network)
}

/// `100 %`, `33.33 % (1/3)`.
fn share_text(share: &Share) -> String {
    let percent = percent_text(share.percent);
    if !share.fraction.contains('/') { percent } else { format!("{percent} ({})", share.fraction) }
}

fn percent_text(percent: f64) -> String {
    if percent > 0.0 && percent < 0.01 {
        return "< 0.01 %".to_owned();
    }
    let text = format!("{percent:.2}");
    format!("{} %", text.trim_end_matches('0').trim_end_matches('.'))
}

fn values_text(values: &[String]) -> String {
    let shown = values.iter().take(VALUES_MAX).cloned().collect::<Vec<_>>().join(", ");
    match values.len().saturating_sub(VALUES_MAX) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

fn answer_text(answer: &AnswerTold) -> String {
    match &answer.answer {
        OutcomeTold::Records { ttl, values, rtype } => {
            format!("{rtype} {}  TTL {ttl}", values_text(values))
        }
        OutcomeTold::EightOf { ttl, members, rtype } => {
            let values: Vec<String> = members.iter().flatten().cloned().collect();
            format!("eight of {}: {rtype} {}  TTL {ttl}", members.len(), values_text(&values))
        }
        OutcomeTold::NoData => "NODATA: no record".to_owned(),
        OutcomeTold::Referral => "a referral".to_owned(),
    }
}

/// Answers in one line, without types and TTLs: `192.0.2.1 (66.67 %), 192.0.2.2 (33.33 %)`.
pub fn brief(answers: &[AnswerTold]) -> String {
    const ANSWERS_MAX: usize = 4;
    let text = |answer: &AnswerTold| {
        let what = match &answer.answer {
            OutcomeTold::Records { values, .. } => values_text(values),
            OutcomeTold::EightOf { members, .. } => format!("eight of {} members", members.len()),
            OutcomeTold::NoData => "NODATA".to_owned(),
            OutcomeTold::Referral => "a referral".to_owned(),
        };
        if answers.len() == 1 { what } else { format!("{what} ({})", percent_text(answer.share.percent)) }
    };
    let mut parts: Vec<String> = answers.iter().take(ANSWERS_MAX).map(text).collect();
    if answers.len() > ANSWERS_MAX {
        parts.push(format!("{} more", answers.len() - ANSWERS_MAX));
    }
    parts.join(", ")
}

#[cfg(test)]
#[path = "draw_tests.rs"]
mod tests;
