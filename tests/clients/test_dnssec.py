"""Key-signing keys and signing with boto3, judged by delv, which validates as resolvers do."""

import base64
import datetime
import hashlib
import pathlib
import subprocess
import tempfile

from support import DNS, Case, a

ARN = "arn:aws:kms:us-east-1:123456789012:key/"


def rrset(name, type, *values, ttl=60):
    return {**a(name, *values, ttl=ttl), "Type": type}


def wire(name):
    labels = [label.encode() for label in name.rstrip(".").split(".")]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def dig(name, type, *more):
    command = ["dig", f"@{DNS}", name, type, "+norec", "+tries=1", "+time=5", *more]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


class Dnssec(Case):
    def key(self, zone, name, status="ACTIVE", arn=None):
        made = self.route53.create_key_signing_key(
            CallerReference=self.reference(), HostedZoneId=zone, KeyManagementServiceArn=ARN + (arn or name.replace("_", "-")),
            Name=name, Status=status,
        )
        self.wait(made["ChangeInfo"]["Id"])
        return made["KeySigningKey"]

    def keys(self, zone):
        found = self.route53.get_dnssec(HostedZoneId=f"/hostedzone/{zone}")
        return found["Status"]["ServeSignature"], {key["Name"]: key for key in found["KeySigningKeys"]}

    def do(self, operation, **arguments):
        self.wait(operation(**arguments)["ChangeInfo"]["Id"])

    def validate(self, apex, key, name, type):
        """What delv says of an answer, by the DS record of a key alone."""
        with tempfile.TemporaryDirectory() as directory:
            anchor = pathlib.Path(directory, "anchor")
            tag, algorithm, digest_type, digest = key["DSRecord"].split()
            anchor.write_text(
                f'trust-anchors {{ {apex}. static-ds {tag} {algorithm} {digest_type} "{digest}"; }};\n'
            )
            command = ["delv", f"@{DNS}", "-a", str(anchor), f"+root={apex}", name, type]
            done = subprocess.run(command, capture_output=True, text=True)
        return done.stdout + done.stderr

    def assert_valid(self, apex, key, name, type, *parts):
        told = self.validate(apex, key, name, type)
        self.assertIn("fully validated", told)
        for part in parts:
            self.assertIn(part, told)

    def test_fields_of_a_key(self):
        zone = self.zone("fields.example")
        key = self.key(zone, "first_key")
        flags, protocol, algorithm, public = key["DNSKEYRecord"].split()
        self.assertEqual(("257", "3", "13", key["PublicKey"]), (flags, protocol, algorithm, public))
        rdata = bytes([1, 1, 3, 13]) + base64.b64decode(public)
        self.assertEqual(68, len(rdata))
        tag = sum(octet << 8 if at % 2 == 0 else octet for at, octet in enumerate(rdata))
        self.assertEqual((tag + (tag >> 16)) & 0xFFFF, key["KeyTag"])
        digest = hashlib.sha256(wire("fields.example") + rdata).hexdigest().upper()
        self.assertEqual((digest, f"{key['KeyTag']} 13 2 {digest}"), (key["DigestValue"], key["DSRecord"]))
        expected = {
            "Name": "first_key", "KmsArn": ARN + "first-key", "Flag": 257, "Status": "ACTIVE",
            "SigningAlgorithmMnemonic": "ECDSAP256SHA256", "SigningAlgorithmType": 13,
            "DigestAlgorithmMnemonic": "SHA-256", "DigestAlgorithmType": 2,
        }
        self.assertEqual(expected, {name: key[name] for name in expected})
        age = datetime.datetime.now(datetime.timezone.utc) - key["CreatedDate"]
        self.assertLess(abs(age), datetime.timedelta(minutes=5))
        self.assertEqual(("NOT_SIGNING", {"first_key": key}), self.keys(zone))
        # A zone with keys is not empty.
        self.refused("HostedZoneNotEmpty", 400, self.route53.delete_hosted_zone, Id=zone)
        name = {"HostedZoneId": zone, "Name": "first_key"}
        self.do(self.route53.deactivate_key_signing_key, **name)
        after = self.keys(zone)[1]["first_key"]
        self.assertEqual(("INACTIVE", key["CreatedDate"]), (after["Status"], after["CreatedDate"]))
        self.assertGreaterEqual(after["LastModifiedDate"], key["LastModifiedDate"])
        self.do(self.route53.delete_key_signing_key, **name)
        self.assertEqual(("NOT_SIGNING", {}), self.keys(zone))
        self.route53.delete_hosted_zone(Id=zone)

    def test_a_zone_is_signed_and_validates(self):
        zone, apex = self.zone("signed.example"), "signed.example"
        self.change(
            zone,
            ("CREATE", a(f"www.{apex}", "192.0.2.1", "192.0.2.2", "192.0.2.3")), ("CREATE", a(f"*.w.{apex}", "192.0.2.3")),
            ("CREATE", rrset(f"a.b.{apex}", "TXT", '"one" "two"', '"three"')), ("CREATE", rrset(f"mx.{apex}", "MX", f"10 Mail.{apex}")),
            ("CREATE", rrset(f"c.{apex}", "CNAME", f"WWW.{apex}")), ("CREATE", a(f"long.{apex}", "192.0.2.7", ttl=700000)),
            ("CREATE", rrset(f"srv.{apex}", "SRV", f"1 2 443 Host.{apex}")),
            ("CREATE", rrset(f"svc.{apex}", "HTTPS", f"1 Host.{apex} alpn=h2")),
            ("CREATE", rrset(f"naptr.{apex}", "NAPTR", f'1 2 "u" "sip" "" Host.{apex}')),
            ("CREATE", rrset(f"sub.{apex}", "NS", f"ns1.sub.{apex}")), ("CREATE", a(f"ns1.sub.{apex}", "192.0.2.9")),
            ("CREATE", rrset(f"caa.{apex}", "CAA", '0 issue "ca.example"')),
            ("CREATE", a(f"geo.{apex}", "192.0.2.8", SetIdentifier="de", GeoLocation={"CountryCode": "DE"})),
            *(("CREATE", a(f"weight.{apex}", f"192.0.2.{n}", SetIdentifier=f"s{n}", Weight=1)) for n in range(20, 24)),
        )
        key = self.key(zone, "ksk")
        self.assertNotIn("RRSIG", dig(f"www.{apex}", "A", "+dnssec"))
        self.do(self.route53.enable_hosted_zone_dnssec, HostedZoneId=zone)
        self.assertEqual("SIGNING", self.keys(zone)[0])

        valid = lambda name, type, *parts: self.assert_valid(apex, key, name, type, *parts)
        for name, type, value in [
            ("www", "A", "192.0.2.2"), ("x.y.w", "A", "192.0.2.3"), ("a.b", "TXT", '"one" "two"'), ("mx", "MX", "Mail."),
            ("c", "CNAME", "WWW."), ("c", "A", "192.0.2.1"), ("long", "A", "604800"), ("srv", "SRV", "443 Host."),
            ("svc", "HTTPS", "Host."), ("naptr", "NAPTR", "sip"), ("caa", "CAA", "ca.example"), ("weight", "A", "192.0.2.2"),
            ("www", "NSEC", "A RRSIG NSEC"),
        ]:
            valid(f"{name}.{apex}", type, value)
        for type, value in [("SOA", "hostmaster"), ("NS", "ns1.example.org."), ("DNSKEY", "256 3 13")]:
            valid(apex, type, value)
        for name, type, types in [
            ("www", "AAAA", "A RRSIG NSEC"), ("none", "A", "RRSIG NSEC TYPE128"), ("b", "A", "RRSIG NSEC"),
            ("x.w", "MX", "A RRSIG NSEC"), ("sub", "DS", "NS RRSIG NSEC"), ("geo", "A", "RRSIG NSEC"),
            (r"\000.none", "A", "RRSIG NSEC TYPE128"),
        ]:
            valid(f"{name}.{apex}", type, f"NSEC \\000.{name}.{apex}. {types}")
        # No room is left for a label of one octet in front.
        full = ".".join(["x" * 63, "y" * 63, "z" * 63, "v" * (254 - 3 * 64 - len(apex) - 2), apex])
        self.assertEqual(253, len(full))
        valid(full, "A", "TYPE128")

        # Those who do not ask for signatures see none, and NXDOMAIN.
        plain = dig(f"none.{apex}", "A")
        self.assertIn("status: NXDOMAIN", plain)
        self.assertNotIn("RRSIG", plain + dig(f"www.{apex}", "A"))
        with_do = dig(f"none.{apex}", "A", "+dnssec")
        self.assertIn("status: NOERROR", with_do)
        self.assertRegex(with_do, r"flags: qr aa;")
        self.assertIn("604800", dig(f"long.{apex}", "A"))
        answer = self.route53.test_dns_answer(HostedZoneId=zone, RecordName=apex, RecordType="DNSKEY")
        self.assertIn(key["DNSKEYRecord"], answer["RecordData"])

        # What changes is signed at once.
        self.change(zone, ("UPSERT", a(f"www.{apex}", "192.0.2.200")))
        valid(f"www.{apex}", "A", "192.0.2.200")
        self.do(self.route53.disable_hosted_zone_dnssec, HostedZoneId=zone)
        self.assertNotIn("RRSIG", dig(f"www.{apex}", "A", "+dnssec"))
        self.assertIn("ANSWER: 0", dig(apex, "DNSKEY"))
        self.assertEqual("NOT_SIGNING", self.keys(zone)[0])
        self.do(self.route53.enable_hosted_zone_dnssec, HostedZoneId=zone)
        valid(f"www.{apex}", "A", "192.0.2.200")

    def test_keys_are_rolled(self):
        zone, apex = self.zone("rolled.example"), "rolled.example"
        first = self.key(zone, "first")
        self.do(self.route53.enable_hosted_zone_dnssec, HostedZoneId=zone)
        second = self.key(zone, "second", status="INACTIVE")
        invalid = self.validate(apex, second, apex, "SOA")
        self.assertNotIn("fully validated", invalid)
        self.do(self.route53.activate_key_signing_key, HostedZoneId=zone, Name="second")
        for key in [first, second]:
            self.assert_valid(apex, key, apex, "SOA")
        self.do(self.route53.deactivate_key_signing_key, HostedZoneId=zone, Name="first")
        self.assertNotIn("fully validated", self.validate(apex, first, apex, "SOA"))
        self.assert_valid(apex, second, apex, "SOA")
        self.do(self.route53.delete_key_signing_key, HostedZoneId=zone, Name="first")
        self.assertEqual(["second"], list(self.keys(zone)[1]))

    def test_a_chain_of_two_zones(self):
        parent, child = self.zone("chain.example"), self.zone("child.chain.example")
        above, below = self.key(parent, "above"), self.key(child, "below")
        for zone in [parent, child]:
            self.do(self.route53.enable_hosted_zone_dnssec, HostedZoneId=zone)
        self.change(child, ("CREATE", a("www.child.chain.example", "192.0.2.1")))
        servers = ["ns1.example.org.", "ns2.example.org."]
        delegation = rrset("child.chain.example", "NS", *servers)
        self.change(parent, ("CREATE", delegation))
        told = self.validate("chain.example", above, "www.child.chain.example", "A")
        self.assertIn("unsigned answer", told, "the parent says that it knows no key")
        ds = rrset("child.chain.example", "DS", below["DSRecord"])
        self.change(parent, ("CREATE", ds))
        valid = lambda name, type, value: self.assert_valid("chain.example", above, name, type, value)
        valid("www.child.chain.example", "A", "192.0.2.1")
        valid("child.chain.example", "DS", below["DigestValue"][:50])
        valid("none.child.chain.example", "A", "TYPE128")

        # While resolvers trust the key it stays.
        self.key(child, "other")
        self.refused(
            "KeySigningKeyInParentDSRecord", 400, self.route53.deactivate_key_signing_key, HostedZoneId=child, Name="below"
        )
        self.refused(
            "KeySigningKeyInParentDSRecord", 400, self.route53.disable_hosted_zone_dnssec, HostedZoneId=child
        )
        self.change(parent, ("DELETE", ds))
        self.do(self.route53.disable_hosted_zone_dnssec, HostedZoneId=child)
        told = self.validate("chain.example", above, "www.child.chain.example", "A")
        self.assertIn("unsigned answer", told)
