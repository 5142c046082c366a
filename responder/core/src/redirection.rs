//! DNAME (RFC 6672, D-12): every name below an owner is redirected to the same name below a target.

use crate::body::{Body, BodyWriter, rcode};
use crate::model::{Name, Rdata, RecordType, Ttl};

/// The longest name in wire form.
const NAME_LEN_MAX: usize = 255;

/// A DNAME record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redirection {
    owner: Name,
    /// Its lifetime, and that of the CNAME made from it.
    pub ttl: Ttl,
    /// The target name.
    rdata: Rdata,
}

impl Redirection {
    /// The redirection that a record declares.
    pub fn new(owner: &Name, ttl: Ttl, rdata: &Rdata) -> Self {
        Self { owner: owner.clone(), ttl, rdata: rdata.clone() }
    }

    /// Where a name below the owner, in lower-case wire form, leads to; none if that would be longer than a name can be.
    pub fn target(&self, qname: &[u8]) -> Option<Rdata> {
        let prefix = &qname[..qname.len().saturating_sub(self.owner.as_wire().len())];
        let target = [prefix, &self.rdata.0].concat();
        (target.len() <= NAME_LEN_MAX).then(|| Rdata(target.into()))
    }

    /// The answer for a name below the owner, in lower-case wire form: the DNAME, and a CNAME made from it, which says the same to those
    /// who do not know DNAME (RFC 6672 section 3.1).
    pub fn answer(&self, qname: &[u8]) -> Body {
        let target = self.target(qname);
        let mut writer =
            BodyWriter::new(if target.is_some() { rcode::NOERROR } else { rcode::YXDOMAIN }, true);
        writer.answer_above(&self.owner, RecordType::DNAME, self.ttl, &self.rdata);
        if let Some(target) = target {
            writer.answer(RecordType::CNAME, self.ttl, &target);
        }
        writer.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        Name::from_route53(text).unwrap()
    }

    /// The RCODE and the CNAME's target.
    fn redirected(qname: &Name, owner: &str, target: &str) -> (u8, Option<Name>) {
        let rdata = Rdata(name(target).as_wire().into());
        let body = Redirection::new(&name(owner), Ttl(60), &rdata).answer(qname.as_wire());
        assert!(body.authoritative && !body.rotates);
        let mut octets = Vec::new();
        body.write(qname.as_wire().len(), 0, &mut octets);
        let dname_len = 12 + rdata.0.len();
        let cname = octets.get(dname_len + 12..).filter(|_| body.counts[0] == 2);
        (body.rcode, cname.map(|octets| Name::from_wire(octets).unwrap()))
    }

    #[test]
    fn the_suffix_is_replaced() {
        let check = |qname: &str, owner: &str, target: &str, result: &str| {
            assert_eq!(redirected(&name(qname), owner, target), (0, Some(name(result))));
        };
        // RFC 6672 table 1.
        check("a.example.com", "example.com", "example.net", "a.example.net");
        check("a.b.example.com", "example.com", "example.net", "a.b.example.net");
        check("foo.example.com", "example.com", "x.y", "foo.x.y");
        check("a.x", "x", ".", "a");
        check("a.x", ".", "y", "a.x.y");
    }

    #[test]
    fn a_name_that_grows_too_long_does_not_exist() {
        let label = "a".repeat(63);
        let qname = name(&format!("{label}.{label}.{label}.x"));
        let fits = redirected(&qname, "x", &"b".repeat(61));
        assert_eq!((fits.0, fits.1.unwrap().as_wire().len()), (0, 255));
        assert_eq!(redirected(&qname, "x", &"b".repeat(62)), (6, None));
    }
}
