"""`pulse53 export` and `pulse53 import`: there and back, and into the AWS CLI's own forms."""

import json
import os
import pathlib
import subprocess
import tempfile

from support import DNS, Case, a, eventually
from test_cli import aws

BINARY = os.environ["PULSE53_BIN"]


def pulse53(*arguments, status=0):
    done = subprocess.run([BINARY, *arguments], capture_output=True, text=True)
    assert done.returncode == status, f"{arguments}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout + done.stderr


class Move(Case):
    def setUp(self):
        super().setUp()
        place = tempfile.TemporaryDirectory()
        self.addCleanup(place.cleanup)
        self.place = pathlib.Path(place.name)

    def test_there_and_back(self):
        check = self.route53.create_health_check(
            CallerReference=self.reference(),
            HealthCheckConfig={"Type": "TCP", "IPAddress": "127.0.0.9", "Port": 9, "Disabled": True},
        )["HealthCheck"]["Id"]
        self.route53.change_tags_for_resource(
            ResourceType="healthcheck", ResourceId=check, AddTags=[{"Key": "pulse53:interval", "Value": "1s"}]
        )
        collection = self.route53.create_cidr_collection(Name="move", CallerReference="m")["Collection"]["Id"]
        self.route53.change_cidr_collection(Id=collection, Changes=[
            {"LocationName": "a", "Action": "PUT", "CidrList": ["198.51.100.0/24"]}
        ])
        zone = self.zone("move.example")
        sets = [
            a("*.move.example.", "192.0.2.1"),
            a("w.move.example.", "192.0.2.2", SetIdentifier="one", Weight=1, HealthCheckId=check),
            a("w.move.example.", "192.0.2.3", SetIdentifier="two", Weight=0),
            a("c.move.example.", "192.0.2.4", SetIdentifier="a",
              CidrRoutingConfig={"CollectionId": collection, "LocationName": "a"}),
            {"Name": "a.move.example.", "Type": "A", "AliasTarget": {
                "HostedZoneId": zone, "DNSName": "w.move.example.", "EvaluateTargetHealth": True}},
            {"Name": "t.move.example.", "Type": "TXT", "TTL": 5, "ResourceRecords": [{"Value": '"a;b" "\\303\\251"'}]},
        ]
        self.change(zone, *[("CREATE", rrset) for rrset in sets])
        before = self.sets(zone)

        pulse53("export", "--output", str(self.place))
        exported = json.loads((self.place / "move.example.json").read_text())
        self.assertEqual(aws("list-resource-record-sets", "--hosted-zone-id", zone), exported)
        checks = json.loads((self.place / "health-checks.json").read_text())["HealthChecks"]
        found = next(each for each in checks if each["Id"] == check)
        self.assertEqual([{"Key": "pulse53:interval", "Value": "1s"}], found.pop("Tags"))
        self.assertIn(found, aws("list-health-checks")["HealthChecks"])
        master = (self.place / "move.example.zone").read_text()
        self.assertIn('t.move.example. 5 IN TXT "a;b" "\\195\\169"', master)
        self.assertIn("; a.move.example. A is an alias of w.move.example.", master)

        files = [str(self.place / name) for name in
                 ["move.example.json", "health-checks.json", "cidr-collections.json"]]
        self.assertIn("nothing to change", pulse53("import", *files, "--replace", "--yes"))

        # Gone, and back under other ids.
        self.change(zone, *[("DELETE", rrset) for rrset in before if rrset["Type"] not in ("SOA", "NS")])
        self.wait(self.route53.delete_hosted_zone(Id=zone)["ChangeInfo"]["Id"])
        self.route53.change_cidr_collection(Id=collection, Changes=[
            {"LocationName": "a", "Action": "DELETE_IF_EXISTS", "CidrList": ["198.51.100.0/24"]}
        ])
        self.route53.delete_cidr_collection(Id=collection)
        shown = pulse53("import", *files, "--dry-run")
        self.assertIn("+ zone move.example.", shown)
        self.assertIn("+ a.move.example. A alias of w.move.example.", shown)
        self.assertIn("nothing was changed", shown)
        self.assertEqual([], [each for each in self.route53.list_hosted_zones()["HostedZones"]
                              if each["Name"] == "move.example."])
        pulse53("import", *files, "--yes")
        again = self.route53.list_hosted_zones_by_name(DNSName="move.example")["HostedZones"][0]["Id"]
        again = again.removeprefix("/hostedzone/")

        def without_ids(sets):
            text = json.dumps(sets).replace(zone, "Z").replace(again, "Z").replace(collection, "C")
            for each in self.route53.list_cidr_collections()["CidrCollections"]:
                text = text.replace(each["Id"], "C")
            return json.loads(text)

        self.assertEqual(without_ids(before), without_ids(self.sets(again)))
        self.assertIn("nothing to change", pulse53("import", *files, "--replace", "--yes"))
        self.assertIn("nothing was changed", pulse53("import", str(self.place / "health-checks.json"),
                                                     str(self.other(check)), status=1))

    def other(self, check):
        """The exported checks, one of them changed."""
        checks = json.loads((self.place / "health-checks.json").read_text())
        for each in checks["HealthChecks"]:
            each["HealthCheckConfig"]["Inverted"] = each["Id"] == check
        path = self.place / "changed.json"
        path.write_text(json.dumps(checks))
        return path

    def test_master_files(self):
        path = self.place / "master.example.zone"
        text = """$TTL 300
@ SOA ns1.old.example. hostmaster.old.example. 1 2 3 4 5
@ NS ns1.old.example.
@ MX 10 mail
www A 192.0.2.1
www A 192.0.2.2
*.w 60 A 192.0.2.3
"""
        path.write_text(text)
        shown = pulse53("import", str(path), "--yes")
        self.assertIn("+ www.master.example. A 192.0.2.1, 192.0.2.2", shown)
        zone = self.route53.list_hosted_zones_by_name(DNSName="master.example")["HostedZones"][0]["Id"]
        answer = lambda: self.route53.test_dns_answer(
            HostedZoneId=zone, RecordName="x.w.master.example", RecordType="A"
        )["RecordData"]
        eventually("an answer", lambda: answer() == ["192.0.2.3"])
        self.assertIn("nothing to change", pulse53("import", str(path), "--yes", "--replace"))
        path.write_text(text.replace("www A 192.0.2.2\n", "").replace("*.w 60 A 192.0.2.3\n", ""))
        shown = pulse53("import", str(path), "--yes", "--replace")
        self.assertIn("~ www.master.example. A 192.0.2.1\n", shown)
        self.assertIn("- \\052.w.master.example. A 192.0.2.3", shown)
        path.write_text("www A nonsense\n")
        said = pulse53("import", str(path), status=1)
        self.assertIn("master.example.zone:1:", said)
