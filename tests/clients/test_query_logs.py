"""Query logging configurations with boto3, and the lines that they lead to."""

import os
import pathlib
import re
import subprocess
import time

from support import DNS, Case, a, eventually

# Where the configuration of this test has its logs.
LOGS = pathlib.Path(os.environ["PULSE53_TEST_LOGS"])
GROUP = "arn:aws:logs:us-east-1:123456789012:log-group:"


def dig(name, *more):
    subprocess.run(["dig", f"@{DNS}", name, "+norec", "+tries=1", "+time=5", *more], check=True, capture_output=True)


def lines(file):
    return file.read_text().splitlines() if file.exists() else []


class QueryLogs(Case):
    def test_life_of_a_configuration(self):
        zone = self.zone("life.logged.example")
        arn = f"{GROUP}/aws/route53/life:*"
        made = self.route53.create_query_logging_config(HostedZoneId=zone, CloudWatchLogsLogGroupArn=arn)
        config = made["QueryLoggingConfig"]
        self.assertEqual((zone, arn), (config["HostedZoneId"], config["CloudWatchLogsLogGroupArn"]))
        self.assertRegex(config["Id"], r"^[0-9a-f-]{36}$")
        self.assertTrue(made["Location"].endswith(f"/2013-04-01/queryloggingconfig/{config['Id']}"))
        self.assertEqual(config, self.route53.get_query_logging_config(Id=config["Id"])["QueryLoggingConfig"])
        listed = self.route53.list_query_logging_configs(HostedZoneId=f"/hostedzone/{zone}")
        self.assertEqual([config], listed["QueryLoggingConfigs"])
        # It goes with its zone.
        self.route53.delete_hosted_zone(Id=zone)
        self.refused(
            "NoSuchQueryLoggingConfig", 404, self.route53.get_query_logging_config, Id=config["Id"]
        )
        other = self.zone("other.logged.example")
        self.assertEqual([], self.route53.list_query_logging_configs(HostedZoneId=other)["QueryLoggingConfigs"])

    def test_a_line_for_each_reply(self):
        zone, silent = self.zone("logged.example"), self.zone("silent.example")
        for apex in ["logged.example", "silent.example"]:
            target = zone if apex == "logged.example" else silent
            self.change(target, ("CREATE", a(f"www.{apex}", "192.0.2.1")), ("CREATE", a(f"*.w.{apex}", "192.0.2.2")))
        config = self.route53.create_query_logging_config(
            HostedZoneId=zone, CloudWatchLogsLogGroupArn=f"{GROUP}/aws/route53/logged"
        )["QueryLoggingConfig"]["Id"]
        log = LOGS / "aws-route53-logged.log"
        dig("www.silent.example", "A")

        # It takes effect within moments: from the first line on, no reply goes without one.
        eventually("a line", lambda: dig("start.logged.example", "A") or lines(log))
        before = len(lines(log))
        asked = [
            ("WWW.logged.example", ["A"], "www.logged.example A NOERROR UDP"),
            ("www.logged.example", ["A", "+tcp"], "www.logged.example A NOERROR TCP"),
            ("www.logged.example", ["AAAA", "+subnet=198.51.100.0/24"], "www.logged.example AAAA NOERROR UDP"),
            ("none.logged.example", ["MX"], "none.logged.example MX NXDOMAIN UDP"),
            ("any.w.logged.example", ["TYPE65280"], "any.w.logged.example TYPE65280 NOERROR UDP"),
            (r"a\032b.logged.example", ["A"], r"a\040b.logged.example A NXDOMAIN UDP"),
        ]
        for name, more, _ in asked:
            dig(name, *more)
        found = eventually("the last line", lambda: lines(log)[before:] if len(lines(log)) - before >= len(asked) else None)
        self.assertEqual(len(asked), len(found), found)
        for line, (_, more, middle) in zip(found, asked):
            subnet = "198.51.100.0/24" if any("subnet" in option for option in more) else "-"
            self.assertRegex(
                line,
                rf"^1\.0 \d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{{3}}Z {zone} {re.escape(middle)} here \S+ {re.escape(subnet)}$",
            )
        self.assertFalse(any("silent" in line for line in lines(log)))

        self.route53.delete_query_logging_config(Id=config)
        # And so does its end: a whole batch of questions leaves no line.
        def is_silent():
            before = len(lines(log))
            for _ in range(5):
                dig("www.logged.example", "A")
            # Lines are written behind the replies.
            time.sleep(0.2)
            return len(lines(log)) == before
        eventually("silence", is_silent)
