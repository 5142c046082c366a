//! From entries to records: directives, owners, lifetimes, classes.

use std::sync::Arc;

use super::lex::Lexer;
use super::{ERRORS_MAX, INCLUDE_DEPTH_MAX, INCLUDES_MAX, ZoneFile, ZoneRecord};
use crate::model::problem::{Findings, Problem};
use crate::model::{Name, Rdata, RecordType, Source, Ttl};
use crate::rdata::{self, Dialect, RdataError, Token};

type Include<'i> = &'i mut dyn FnMut(&str) -> Result<Vec<u8>, String>;

pub(super) fn read(file: &str, text: &[u8], apex: &Name, include: Include<'_>) -> ZoneFile {
    let file: Arc<str> = file.into();
    let mut reader = Reader {
        apex,
        include,
        includes: 0,
        open_files: vec![file.clone()],
        records: Vec::with_capacity(text.len() / 40),
        findings: Findings::default(),
        wire: Vec::with_capacity(512),
    };
    reader.read_file(&file, text, apex);
    ZoneFile { file, records: reader.records, findings: reader.findings }
}

/// What lasts over all files of a zone.
struct Reader<'r, 'i> {
    apex: &'r Name,
    include: Include<'i>,
    includes: usize,
    /// The file being read and those that included it.
    open_files: Vec<Arc<str>>,
    records: Vec<ZoneRecord>,
    findings: Findings,
    /// Scratch for names and data.
    wire: Vec<u8>,
}

/// What lasts within one file.
struct State {
    file: Arc<str>,
    origin: Name,
    owner: Option<Name>,
    /// Of `$TTL`.
    default_ttl: Option<Ttl>,
    /// Of the record before.
    last_ttl: Option<Ttl>,
    /// The minimum of the SOA, when nothing else says a lifetime (RFC 1035 section 5.1, RFC 2308 section 4).
    soa_minimum: Option<Ttl>,
}

/// A refused entry: what is wrong and where.
struct Refusal {
    line: u32,
    column: u32,
    rule: Option<&'static str>,
    what: String,
}

impl From<RdataError> for Refusal {
    fn from(error: RdataError) -> Self {
        Self { line: error.line, column: error.column, rule: None, what: error.fault.to_string() }
    }
}

fn refuse(token: &Token<'_>, what: impl Into<String>) -> Refusal {
    Refusal { line: token.line, column: token.column, rule: None, what: what.into() }
}

impl Reader<'_, '_> {
    fn read_file(&mut self, file: &Arc<str>, text: &[u8], origin: &Name) {
        let mut state = State {
            file: file.clone(),
            origin: origin.clone(),
            owner: None,
            default_ttl: None,
            last_ttl: None,
            soa_minimum: None,
        };
        self.read_entries(&mut state, text);
    }

    fn read_entries(&mut self, state: &mut State, text: &[u8]) {
        let mut lexer = Lexer::new(text);
        let mut tokens = Vec::new();
        while let Some(entry) = lexer.next(&mut tokens) {
            let refused = match entry {
                Err(error) => Some(Refusal {
                    line: error.line,
                    column: error.column,
                    rule: None,
                    what: error.what.into(),
                }),
                Ok(entry) => match tokens.as_slice() {
                    [] => None,
                    [first, arguments @ ..]
                        if !entry.begins_blank && !first.quoted && first.raw.starts_with(b"$") =>
                    {
                        self.directive(state, first, arguments).err()
                    }
                    _ => self.record(state, &tokens, entry.begins_blank).err(),
                },
            };
            if let Some(refusal) = refused {
                self.report(state, refusal);
            }
            if self.findings.errors.len() > ERRORS_MAX {
                return;
            }
        }
    }

    fn report(&mut self, state: &State, refusal: Refusal) {
        let Refusal { line, column, rule, what } = refusal;
        let source = Some(Source { file: state.file.clone(), line, column });
        let what = match self.findings.errors.len() {
            ERRORS_MAX => "too many errors, reading stops here; is this a zone file?".into(),
            _ => what,
        };
        self.findings.errors.push(Problem { source, rule, what });
    }

    fn directive(
        &mut self,
        state: &mut State,
        directive: &Token<'_>,
        arguments: &[Token<'_>],
    ) -> Result<(), Refusal> {
        let is = |name: &[u8]| directive.raw.eq_ignore_ascii_case(name);
        match arguments {
            [origin] if is(b"$ORIGIN") => state.origin = self.name(state, origin)?,
            [ttl] if is(b"$TTL") => {
                let seconds = read_ttl(ttl).ok_or_else(|| refuse(ttl, bad_ttl(ttl)))?;
                state.default_ttl = Some(seconds);
            }
            [path] if is(b"$INCLUDE") => self.include(state, path, None)?,
            [path, origin] if is(b"$INCLUDE") => self.include(state, path, Some(origin))?,
            _ if is(b"$ORIGIN") => return Err(refuse(directive, "$ORIGIN takes one name")),
            _ if is(b"$TTL") => return Err(refuse(directive, "$TTL takes one number of seconds, or 1h30m")),
            _ if is(b"$INCLUDE") => {
                return Err(refuse(directive, "$INCLUDE takes a path and perhaps an origin"));
            }
            _ => {
                let what =
                    format!("directive {:?} is not known; $ORIGIN, $TTL and $INCLUDE are", directive.shown());
                return Err(refuse(directive, what));
            }
        }
        Ok(())
    }

    fn include(
        &mut self,
        state: &mut State,
        path: &Token<'_>,
        origin: Option<&Token<'_>>,
    ) -> Result<(), Refusal> {
        let origin = match origin {
            Some(origin) => self.name(state, origin)?,
            None => state.origin.clone(),
        };
        let mut octets = Vec::new();
        path.push_octets(Dialect::MasterFile, &mut octets)?;
        let relative = String::from_utf8(octets).map_err(|_| refuse(path, "the path must be UTF-8"))?;
        let stays_inside = !relative.is_empty()
            && !relative.starts_with('/')
            && !relative.contains(['\0', '\\'])
            && relative.split('/').all(|part| part != "..");
        if !stays_inside {
            let what = format!(
                "$INCLUDE {relative:?} leaves the zone's directory; write a path below it, without .."
            );
            return Err(refuse(path, what));
        }
        // The name for messages lies beside the zone's own file, as the path does.
        let directory = self.open_files[0].rfind('/').map_or(0, |slash| slash + 1);
        let file: Arc<str> = format!("{}{relative}", &self.open_files[0][..directory]).into();
        if self.open_files.contains(&file) {
            return Err(refuse(path, format!("$INCLUDE {relative:?} includes itself; remove it")));
        }
        if self.open_files.len() > INCLUDE_DEPTH_MAX {
            return Err(refuse(path, format!("$INCLUDE nests deeper than {INCLUDE_DEPTH_MAX}; flatten it")));
        }
        if self.includes >= INCLUDES_MAX {
            return Err(refuse(path, format!("more than {INCLUDES_MAX} $INCLUDE in one zone; join files")));
        }
        self.includes += 1;
        let text = (self.include)(&relative)
            .map_err(|error| refuse(path, format!("$INCLUDE {relative:?} cannot be read: {error}")))?;
        // Owner, origin and lifetimes inside do not reach out (RFC 1035 section 5.1).
        let mut inner = State {
            file: file.clone(),
            origin,
            owner: state.owner.clone(),
            default_ttl: state.default_ttl,
            last_ttl: state.last_ttl,
            soa_minimum: state.soa_minimum,
        };
        self.open_files.push(file);
        self.read_entries(&mut inner, &text);
        self.open_files.pop();
        state.soa_minimum = inner.soa_minimum;
        Ok(())
    }

    /// A name in the zone file's dialect, lower case.
    fn name(&mut self, state: &State, token: &Token<'_>) -> Result<Name, Refusal> {
        self.wire.clear();
        rdata::push_name(token, Dialect::MasterFile, state.origin.as_wire(), &mut self.wire)?;
        Name::from_wire(&self.wire).map_err(|error| refuse(token, error.to_string()))
    }

    fn record(&mut self, state: &mut State, tokens: &[Token<'_>], begins_blank: bool) -> Result<(), Refusal> {
        let first = &tokens[0];
        let mut rest = tokens;
        // The owner counts for the lines below even if the rest of this one is wrong.
        let owner = if begins_blank {
            let what = "the first record names no owner; begin the line with one";
            state.owner.clone().ok_or_else(|| refuse(first, what))?
        } else {
            rest = &tokens[1..];
            let owner = self.name(state, first).inspect_err(|_| state.owner = None)?;
            // Runs of one owner share it.
            match &state.owner {
                Some(last) if *last == owner => last.clone(),
                _ => state.owner.insert(owner).clone(),
            }
        };

        let (mut ttl, mut class_seen) = (None, false);
        let (record_type, type_token) = loop {
            let [token, after @ ..] = rest else {
                let last = &tokens[tokens.len() - 1];
                return Err(refuse(last, "the record ends before its type; add type and data"));
            };
            rest = after;
            if ttl.is_none() && !token.quoted && token.raw.first().is_some_and(u8::is_ascii_digit) {
                ttl = Some(read_ttl(token).ok_or_else(|| refuse(token, bad_ttl(token)))?);
            } else if let (false, Some(class)) = (class_seen, class(token.raw)) {
                if class != 1 {
                    return Err(refuse(token, format!("class {}: only IN is served", token.shown())));
                }
                class_seen = true;
            } else {
                break match rdata::record_type_from_octets(token.raw) {
                    Some(record_type) if !token.quoted => (record_type, token),
                    _ => {
                        let what = format!(
                            "{:?} is no record type, class or TTL; write a type such as A, or TYPEnnn",
                            token.shown()
                        );
                        return Err(refuse(token, what));
                    }
                };
            }
        };
        if !is_data_type(record_type) {
            let what = format!("{record_type} is not a type of records; remove the line");
            return Err(refuse(type_token, what));
        }

        self.wire.clear();
        if rest.is_empty() && record_type.to_int() != 10 {
            let what = format!("the record ends before the data of its type {record_type}; add it");
            return Err(refuse(type_token, what));
        }
        rdata::read(record_type, rest, Dialect::MasterFile, state.origin.as_wire(), &mut self.wire)?;
        let minimum = match (record_type, self.wire.last_chunk::<4>()) {
            (RecordType::SOA, Some(minimum)) => Some(Ttl(u32::from_be_bytes(*minimum)).min(Ttl::MAX)),
            _ => None,
        };
        let ttl = ttl
            .or(state.default_ttl)
            .or(state.last_ttl)
            .or(minimum)
            .or(state.soa_minimum)
            .ok_or_else(|| refuse(first, "the record has no TTL; write one, or $TTL above it"))?;
        state.soa_minimum = minimum.or(state.soa_minimum);
        state.last_ttl = Some(ttl);

        if !owner.is_at_or_below(self.apex) {
            let what = format!("{owner} {record_type} lies outside the zone {}; remove it", self.apex);
            let (line, column) = (first.line, first.column);
            return Err(Refusal { line, column, rule: Some("R-13"), what });
        }
        let source = Source { file: state.file.clone(), line: first.line, column: first.column };
        let rdata = Rdata(self.wire.as_slice().into());
        self.records.push(ZoneRecord { owner, record_type, ttl, rdata, source });
        Ok(())
    }
}

fn read_ttl(token: &Token<'_>) -> Option<Ttl> {
    rdata::period(token.raw).map(Ttl).filter(|ttl| !token.quoted && *ttl <= Ttl::MAX)
}

fn bad_ttl(token: &Token<'_>) -> String {
    format!("TTL {:?} is not a number from 0 to 2147483647, or a period such as 1h30m", token.shown())
}

/// The number of a class: a mnemonic or `CLASSnnn` (RFC 3597).
fn class(raw: &[u8]) -> Option<u16> {
    const NAMED: [(&[u8], u16); 4] = [(b"IN", 1), (b"CS", 2), (b"CH", 3), (b"HS", 4)];
    if let Some((_, number)) = NAMED.iter().find(|(name, _)| raw.eq_ignore_ascii_case(name)) {
        return Some(*number);
    }
    if raw.len() <= 5 || !raw[..5].eq_ignore_ascii_case(b"CLASS") || !raw[5..].iter().all(u8::is_ascii_digit)
    {
        return None;
    }
    std::str::from_utf8(&raw[5..]).ok()?.parse().ok()
}

/// Whether records of this type can be stored: not 0, OPT, or the types that only questions have.
fn is_data_type(record_type: RecordType) -> bool {
    !matches!(record_type.to_int(), 0 | 41 | 128..=255)
}
