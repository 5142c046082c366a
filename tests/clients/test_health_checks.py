"""Health checks with boto3, and a failover from the first call to the changed answer."""

import http.server
import subprocess
import threading

from support import DNS, Case, a, eventually


class Endpoint:
    """An HTTP server that can be killed."""

    def __init__(self, address):
        class Answer(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer((address, 8080), Answer)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def kill(self):
        self.server.shutdown()
        self.server.server_close()


def dig(name):
    said = subprocess.run(
        ["dig", f"@{DNS}", name, "A", "+norec", "+short", "+tries=1", "+time=5"],
        capture_output=True, text=True, check=True,
    )
    return said.stdout.split()


class HealthChecks(Case):
    def create(self, reference=None, **config):
        made = self.route53.create_health_check(
            CallerReference=reference or self.reference(), HealthCheckConfig=config
        )
        return made["HealthCheck"]

    def test_defaults_are_filled_in(self):
        check = self.create(Type="HTTPS", FullyQualifiedDomainName="a.example.invalid", Disabled=True)
        self.assertEqual(
            {
                "Type": "HTTPS", "FullyQualifiedDomainName": "a.example.invalid", "Port": 443,
                "RequestInterval": 30, "FailureThreshold": 3, "MeasureLatency": False, "Inverted": False,
                "Disabled": True, "EnableSNI": True,
            },
            check["HealthCheckConfig"],
        )
        self.assertEqual(1, check["HealthCheckVersion"])
        self.assertEqual(check, self.route53.get_health_check(HealthCheckId=check["Id"])["HealthCheck"])
        calculated = self.create(Type="CALCULATED", HealthThreshold=1, ChildHealthChecks=[check["Id"]])
        self.assertEqual(
            {"Type": "CALCULATED", "HealthThreshold": 1, "ChildHealthChecks": [check["Id"]],
             "Inverted": False, "Disabled": False},
            calculated["HealthCheckConfig"],
        )
        self.refused("HealthCheckInUse", 400, self.route53.delete_health_check, HealthCheckId=check["Id"])
        self.route53.delete_health_check(HealthCheckId=calculated["Id"])
        self.route53.delete_health_check(HealthCheckId=check["Id"])
        self.refused("NoSuchHealthCheck", 404, self.route53.get_health_check, HealthCheckId=check["Id"])

    def test_caller_reference_is_idempotent(self):
        reference = self.reference()
        config = {"Type": "TCP", "IPAddress": "127.0.0.9", "Port": 9, "Disabled": True}
        first = self.create(reference, **config)
        count = self.route53.get_health_check_count()["HealthCheckCount"]
        self.assertEqual(first, self.create(reference, **config))
        self.assertEqual(count, self.route53.get_health_check_count()["HealthCheckCount"])
        self.refused(
            "HealthCheckAlreadyExists", 409, self.route53.create_health_check,
            CallerReference=reference, HealthCheckConfig={**config, "Port": 10},
        )
        self.route53.delete_health_check(HealthCheckId=first["Id"])
        self.refused(
            "HealthCheckAlreadyExists", 409, self.route53.create_health_check,
            CallerReference=reference, HealthCheckConfig=config,
        )

    def test_wrong_configurations(self):
        for config in [
            {"Type": "HTTP"},
            {"Type": "TCP", "IPAddress": "127.0.0.1"},
            {"Type": "TCP", "IPAddress": "127.0.0.1", "Port": 1, "FullyQualifiedDomainName": "a.example"},
            {"Type": "HTTP", "IPAddress": "127.0.0.1", "SearchString": "x"},
            {"Type": "HTTP_STR_MATCH", "IPAddress": "127.0.0.1"},
            {"Type": "HTTP", "IPAddress": "127.0.0.1", "RequestInterval": 20},
            {"Type": "HTTP", "IPAddress": "127.0.0.1", "Regions": ["us-east-1", "us-east-1", "us-east-1"]},
            {"Type": "CALCULATED", "HealthThreshold": 1, "ChildHealthChecks": ["none"]},
            {"Type": "RECOVERY_CONTROL", "RoutingControlArn": "arn:aws:route53-recovery-control::1:nobody/declared"},
            {"Type": "NONSENSE", "IPAddress": "127.0.0.1"},
        ]:
            with self.subTest(config):
                message = self.refused(
                    "InvalidInput", 400, self.route53.create_health_check,
                    CallerReference=self.reference(), HealthCheckConfig=config,
                )
                self.assertTrue(message)
        message = self.refused(
            "InvalidInput", 400, self.route53.create_health_check, CallerReference=self.reference(),
            HealthCheckConfig={"Type": "TCP", "IPAddress": "127.0.0.1", "Port": 1,
                               "FullyQualifiedDomainName": "a.example"},
        )
        self.assertIn("TCP health checks that have IP address must not have a fully qualified", message)

    def test_updates_and_versions(self):
        check = self.create(Type="HTTP", IPAddress="127.0.0.9", ResourcePath="/a", Disabled=True)
        id = check["Id"]
        changed = self.route53.update_health_check(
            HealthCheckId=id, HealthCheckVersion=1, FailureThreshold=5, Inverted=True
        )["HealthCheck"]
        self.assertEqual((2, 5, True, "/a"), (
            changed["HealthCheckVersion"], changed["HealthCheckConfig"]["FailureThreshold"],
            changed["HealthCheckConfig"]["Inverted"], changed["HealthCheckConfig"]["ResourcePath"],
        ))
        self.refused(
            "HealthCheckVersionMismatch", 409, self.route53.update_health_check,
            HealthCheckId=id, HealthCheckVersion=1, Port=81,
        )
        changed = self.route53.update_health_check(HealthCheckId=id, ResetElements=["ResourcePath"])
        self.assertNotIn("ResourcePath", changed["HealthCheck"]["HealthCheckConfig"])
        self.refused("NoSuchHealthCheck", 404, self.route53.update_health_check, HealthCheckId="none")

    def test_listed_to_the_last_page(self):
        ids = {self.create(Type="TCP", IPAddress="127.0.0.9", Port=9, Disabled=True)["Id"] for _ in range(3)}
        pages = self.route53.get_paginator("list_health_checks").paginate(PaginationConfig={"PageSize": 2})
        pages = list(pages)
        listed = [check["Id"] for page in pages for check in page["HealthChecks"]]
        self.assertLessEqual(ids, set(listed))
        self.assertFalse(pages[-1]["IsTruncated"])
        networks = self.route53.get_checker_ip_ranges()["CheckerIpRanges"]
        self.assertIn(f"{DNS}/32", networks)

    def test_tags_are_judged_with_their_check(self):
        id = self.create(Type="HTTP", IPAddress="127.0.0.9", Disabled=True)["Id"]
        wrong = [{"Key": "pulse53:interval", "Value": "soon"}, {"Key": "other", "Value": "x"}]
        self.refused(
            "InvalidInput", 400, self.route53.change_tags_for_resource,
            ResourceType="healthcheck", ResourceId=id, AddTags=wrong,
        )
        got = self.route53.list_tags_for_resource(ResourceType="healthcheck", ResourceId=id)
        self.assertEqual([], got["ResourceTagSet"]["Tags"])

    def test_failover_from_the_first_call_to_the_changed_answer(self):
        primary, standby = Endpoint("127.0.0.2"), Endpoint("127.0.0.3")
        checks = []
        for address in ["127.0.0.2", "127.0.0.3"]:
            check = self.create(
                Type="HTTP", IPAddress=address, Port=8080, RequestInterval=10, FailureThreshold=1
            )["Id"]
            self.route53.change_tags_for_resource(
                ResourceType="healthcheck", ResourceId=check,
                AddTags=[{"Key": "pulse53:interval", "Value": "200ms"}],
            )
            checks.append(check)
        zone = self.zone("failover.example")
        self.change(
            zone,
            ("CREATE", a("www.failover.example", "192.0.2.1", SetIdentifier="primary",
                         Failover="PRIMARY", HealthCheckId=checks[0])),
            ("CREATE", a("www.failover.example", "192.0.2.2", SetIdentifier="standby",
                         Failover="SECONDARY", HealthCheckId=checks[1])),
        )

        def status(check):
            got = self.route53.get_health_check_status(HealthCheckId=check)["HealthCheckObservations"]
            return [each["StatusReport"]["Status"] for each in got]

        eventually("success", lambda: status(checks[0]) == ["Success: HTTP Status Code 200, OK"])
        self.assertEqual(["192.0.2.1"], dig("www.failover.example"))
        primary.kill()
        eventually("the standby's address", lambda: dig("www.failover.example") == ["192.0.2.2"])
        # The dying endpoint may have reset a connection first.
        eventually("the reason", lambda: status(checks[0]) == ["Failure: Connection refused"])
        failure = self.route53.get_health_check_last_failure_reason(HealthCheckId=checks[0])
        failure = failure["HealthCheckObservations"][0]
        self.assertEqual("Failure: Connection refused", failure["StatusReport"]["Status"])
        self.assertEqual("here", failure["Region"])
        self.assertTrue(failure["StatusReport"]["CheckedTime"])

        primary = Endpoint("127.0.0.2")
        eventually("the primary's address", lambda: dig("www.failover.example") == ["192.0.2.1"])
        # A check that is gone counts as healthy, and its record sets are deleted as they were listed.
        primary.kill()
        eventually("the standby's address", lambda: dig("www.failover.example") == ["192.0.2.2"])
        self.route53.delete_health_check(HealthCheckId=checks[0])
        eventually("the primary's address", lambda: dig("www.failover.example") == ["192.0.2.1"])
        self.change(zone, *[("DELETE", rrset) for rrset in self.sets(zone) if rrset["Type"] == "A"])
        self.refused(
            "NoSuchHealthCheck", 404, self.route53.get_health_check_status, HealthCheckId=checks[0]
        )
        standby.kill()
