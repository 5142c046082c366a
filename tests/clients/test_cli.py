"""The AWS CLI, certbot's and octoDNS's Route 53 plugins, as their users run them."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

from support import DNS, Case, a

BIN = pathlib.Path(sys.executable).parent


def run(program, *arguments, **options):
    done = subprocess.run([BIN / program, *arguments], capture_output=True, text=True, **options)
    assert done.returncode == 0, f"{program} {arguments}:\n{done.stdout}{done.stderr}"
    return done.stdout


def aws(*arguments):
    said = run("aws", "route53", *arguments, "--output", "json")
    return json.loads(said) if said.strip() else None


class Clients(Case):
    def test_aws_cli(self):
        made = aws("create-hosted-zone", "--name", "cli.example", "--caller-reference", self.reference())
        zone = made["HostedZone"]["Id"]
        batch = {"Comment": "from the CLI", "Changes": [
            {"Action": "CREATE", "ResourceRecordSet": a("*.cli.example", "192.0.2.1")},
            {"Action": "CREATE", "ResourceRecordSet": a("w.cli.example", "192.0.2.2", SetIdentifier="x", Weight=5)},
        ]}
        change = aws("change-resource-record-sets", "--hosted-zone-id", zone, "--change-batch", json.dumps(batch))
        self.assertEqual("from the CLI", change["ChangeInfo"]["Comment"])
        self.wait(change["ChangeInfo"]["Id"])
        aws("wait", "resource-record-sets-changed", "--id", change["ChangeInfo"]["Id"])
        listed = aws("list-resource-record-sets", "--hosted-zone-id", zone, "--page-size", "1")
        self.assertEqual(4, len(listed["ResourceRecordSets"]))
        self.assertEqual(listed["ResourceRecordSets"], self.sets(zone))
        got = aws("get-hosted-zone", "--id", zone.removeprefix("/hostedzone/"))
        self.assertEqual(4, got["HostedZone"]["ResourceRecordSetCount"])
        answer = aws("test-dns-answer", "--hosted-zone-id", zone, "--record-name", "any.cli.example",
                     "--record-type", "A")
        self.assertEqual(["192.0.2.1"], answer["RecordData"])
        by_name = aws("list-hosted-zones-by-name", "--dns-name", "cli.example", "--max-items", "1")
        self.assertEqual(zone, by_name["HostedZones"][0]["Id"])
        check = aws("create-health-check", "--caller-reference", self.reference(), "--health-check-config",
                    "Type=TCP,IPAddress=127.0.0.9,Port=9,Disabled=true")["HealthCheck"]["Id"]
        self.assertIn(check, [each["Id"] for each in aws("list-health-checks")["HealthChecks"]])
        aws("delete-health-check", "--health-check-id", check)
        failed = subprocess.run(
            [BIN / "aws", "route53", "get-health-check", "--health-check-id", check], capture_output=True, text=True
        )
        self.assertNotEqual(0, failed.returncode)
        self.assertIn("(NoSuchHealthCheck)", failed.stderr)

    def test_certbot_plugin(self):
        # The plugin as certbot calls it; a whole run would take a certificate authority.
        from unittest import mock

        from acme import challenges
        from certbot_dns_route53._internal.dns_route53 import Authenticator

        def challenge(domain, validation):
            made = mock.MagicMock()
            made.identifier.value = domain
            made.validation_domain_name.side_effect = challenges.DNS01(token=b"x" * 20).validation_domain_name
            made.validation.return_value = validation
            return made

        zone = self.zone("certbot.example")
        self.zone("deep.certbot.example")
        plugin = Authenticator(mock.MagicMock(), "dns-route53")
        # A name and its wildcard have the same challenge name.
        asked = [challenge("certbot.example", "one"), challenge("certbot.example", "two")]
        plugin.perform(asked)
        found = [rrset for rrset in self.sets(zone) if rrset["Type"] == "TXT"]
        self.assertEqual(("_acme-challenge.certbot.example.", 10), (found[0]["Name"], found[0]["TTL"]))
        self.assertEqual({'"one"', '"two"'}, {record["Value"] for record in found[0]["ResourceRecords"]})
        plugin.cleanup(asked)
        self.assertEqual(2, len(self.sets(zone)))

    def test_octodns(self):
        with tempfile.TemporaryDirectory() as place:
            place = pathlib.Path(place)
            (place / "zones").mkdir()
            (place / "config.yaml").write_text(f"""
providers:
  yaml: {{class: octodns.provider.yaml.YamlProvider, directory: {place}/zones, default_ttl: 300, enforce_order: false}}
  pulse53:
    class: octodns_route53.Route53Provider
    access_key_id: pulse53
    secret_access_key: pulse53
    get_zones_by_name: true
zones:
  octo.example.: {{sources: [yaml], targets: [pulse53]}}
""")
            (place / "zones" / "octo.example.yaml").write_text("""
'':
  - {type: MX, values: [{exchange: mail.octo.example., preference: 10}]}
  - {type: TXT, values: ['v=spf1 -all', 'say hi\\; now']}
'*.wild': {type: A, value: 192.0.2.1}
alias: {type: CNAME, value: www.octo.example.}
caa: {type: CAA, value: {flags: 0, tag: issue, value: ca.example}}
srv: {type: CNAME, value: www.octo.example.}
_sip._udp: {type: SRV, values: [{port: 1, priority: 2, target: www.octo.example., weight: 3}]}
www: {type: A, values: [192.0.2.1, 192.0.2.2]}
geo:
  type: A
  value: 192.0.2.9
  dynamic:
    pools:
      eu: {fallback: us, values: [{status: up, value: 192.0.2.3}]}
      us: {values: [{value: 192.0.2.4, status: up}, {status: up, value: 192.0.2.5, weight: 2}]}
    rules:
      - {geos: [EU, AS-JP], pool: eu}
      - {pool: us}
subnets:
  type: A
  value: 192.0.2.9
  dynamic:
    pools:
      in: {values: [{value: 192.0.2.6, status: up}]}
      out: {values: [{value: 192.0.2.7, status: down}]}
    rules:
      - {subnets: [198.51.100.0/24, '2001:db8::/48'], pool: in}
      - {pool: out}
""")
            config = f"--config-file={place}/config.yaml"
            env = dict(os.environ, PYTHONWARNINGS="ignore")
            run("octodns-sync", config, "--doit", "--force", env=env)
            # A second plan without changes: what was written comes back as it was.
            said = subprocess.run([BIN / "octodns-sync", config], capture_output=True, text=True, env=env)
            self.assertIn("No changes were planned", said.stdout + said.stderr)
            run("octodns-dump", config, "--output-dir", str(place / "out"), "octo.example.", "pulse53", env=env)
            self.assertIn("192.0.2.2", (place / "out" / "octo.example.yaml").read_text())
            zone = self.route53.list_hosted_zones_by_name(DNSName="octo.example")["HostedZones"][0]["Id"]
            inside = self.route53.test_dns_answer(
                HostedZoneId=zone, RecordName="subnets.octo.example", RecordType="A", ResolverIP="198.51.100.7"
            )
            self.assertEqual(["192.0.2.6"], inside["RecordData"])
