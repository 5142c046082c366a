"""Routing controls with boto3's client of the recovery cluster, and the answers that follow them."""

import os
import subprocess
import urllib.error
import urllib.request

import boto3
from botocore.config import Config

from support import DNS, ENDPOINT, Case, a, eventually

# As the configuration of this test declares them.
PANEL = "arn:aws:route53-recovery-control::123456789012:controlpanel/aa"
CONTROLS = {f"{PANEL}/routingcontrol/{at}": name for at, name in [("1", "fra"), ("2", "iad"), ("3", "nrt")]}
FRA, IAD, NRT = CONTROLS
OTHER = "arn:aws:route53-recovery-control::123456789012:controlpanel/bb/routingcontrol/1"


class Recovery(Case):
    def setUp(self):
        super().setUp()
        self.cluster = boto3.client(
            "route53-recovery-cluster", endpoint_url=ENDPOINT,
            config=Config(retries={"max_attempts": 0}, parameter_validation=False),
        )

    def tearDown(self):
        # As they were declared: one test finds no traces of another.
        self.switch(**{FRA: "On", IAD: "Off", NRT: "Off", OTHER: "Off"})

    def switch(self, **states):
        entries = [{"RoutingControlArn": arn, "RoutingControlState": state} for arn, state in states.items()]
        self.cluster.update_routing_control_states(UpdateRoutingControlStateEntries=entries)

    def states(self):
        listed = self.cluster.list_routing_controls(ControlPanelArn=PANEL)["RoutingControls"]
        return [control["RoutingControlState"] for control in listed]

    def test_other_verbs_are_refused_in_route_53s_words(self):
        for method in ["GET", "PUT"]:
            with self.assertRaises(urllib.error.HTTPError) as caught:
                urllib.request.urlopen(urllib.request.Request(f"{ENDPOINT}/", method=method))
            with caught.exception as response:
                self.assertEqual(405, response.code)
                self.assertIn("<Code>InvalidAction</Code>", response.read().decode())

    def test_controls_are_listed_by_name_panel_and_page(self):
        listed = self.cluster.list_routing_controls(ControlPanelArn=PANEL)["RoutingControls"]
        self.assertEqual(
            [{"ControlPanelArn": PANEL, "ControlPanelName": "cells", "RoutingControlArn": arn,
              "RoutingControlName": name, "RoutingControlState": "On" if arn == FRA else "Off"}
             for arn, name in CONTROLS.items()],
            listed,
        )
        pages = self.cluster.get_paginator("list_routing_controls").paginate(PaginationConfig={"PageSize": 3})
        pages = [[control["RoutingControlArn"] for control in page["RoutingControls"]] for page in pages]
        self.assertEqual([[FRA, IAD, NRT], [OTHER]], pages)
        self.assertEqual([], self.cluster.list_routing_controls(ControlPanelArn="arn:none")["RoutingControls"])

    def test_one_is_switched(self):
        self.cluster.update_routing_control_state(
            RoutingControlArn=IAD, RoutingControlState="On", SafetyRulesToOverride=["arn:any"]
        )
        got = self.cluster.get_routing_control_state(RoutingControlArn=IAD)
        self.assertEqual(("On", "iad", IAD), tuple(
            got[key] for key in ["RoutingControlState", "RoutingControlName", "RoutingControlArn"]
        ))

    def test_several_are_switched_or_none(self):
        self.switch(**{FRA: "Off", IAD: "On", NRT: "On"})
        self.assertEqual(["Off", "On", "On"], self.states())
        def attempt(*entries):
            return {"UpdateRoutingControlStateEntries": [
                {"RoutingControlArn": arn, "RoutingControlState": state} for arn, state in entries
            ]}
        many = self.cluster.update_routing_control_states
        self.refused("ResourceNotFoundException", 400, many, **attempt((FRA, "On"), ("arn:none", "On")))
        self.refused("ValidationException", 400, many, **attempt((FRA, "On"), (IAD, "Sideways")))
        self.refused("ConflictException", 400, many, **attempt((FRA, "On"), (FRA, "Off")))
        self.assertEqual(["Off", "On", "On"], self.states())

    def test_refusals(self):
        get, one = self.cluster.get_routing_control_state, self.cluster.update_routing_control_state
        self.refused("ResourceNotFoundException", 400, get, RoutingControlArn="arn:none")
        self.refused(
            "ResourceNotFoundException", 400, one, RoutingControlArn="arn:none", RoutingControlState="On"
        )
        for wrong in [{"NextToken": "nonsense"}, {"MaxResults": -1}]:
            self.refused("ValidationException", 400, self.cluster.list_routing_controls, **wrong)
        with self.assertRaises(self.cluster.exceptions.ValidationException) as caught:
            one(RoutingControlArn=FRA, RoutingControlState="Sideways")
        response = caught.exception.response
        self.assertEqual("fieldValidationFailed", response["reason"])
        self.assertEqual("RoutingControlState", response["fields"][0]["name"])

    def test_answers_follow_a_control(self):
        checks = {}
        for arn in [FRA, IAD]:
            made = self.route53.create_health_check(
                CallerReference=self.reference(),
                HealthCheckConfig={"Type": "RECOVERY_CONTROL", "RoutingControlArn": arn},
            )
            checks[arn] = made["HealthCheck"]["Id"]
        zone = self.zone("cells.example")
        self.change(
            zone,
            ("CREATE", a("www.cells.example", "192.0.2.1", SetIdentifier="fra", Failover="PRIMARY",
                         HealthCheckId=checks[FRA])),
            ("CREATE", a("www.cells.example", "192.0.2.2", SetIdentifier="iad", Failover="SECONDARY",
                         HealthCheckId=checks[IAD])),
        )

        def answered(address):
            said = subprocess.run(
                ["dig", f"@{DNS}", "www.cells.example", "A", "+norec", "+short", "+tries=1", "+time=5"],
                capture_output=True, text=True, check=True,
            )
            return said.stdout.split() == [address]

        eventually("the address of fra", lambda: answered("192.0.2.1"))
        self.switch(**{FRA: "Off", IAD: "On"})
        eventually("the address of iad", lambda: answered("192.0.2.2"))
        # Neither: all count, and the primary is first.
        self.switch(**{IAD: "Off"})
        eventually("the address of fra", lambda: answered("192.0.2.1"))
        # Neither is what a check of a control that nobody declared could follow.
        self.refused(
            "InvalidInput", 400, self.route53.create_health_check, CallerReference=self.reference(),
            HealthCheckConfig={"Type": "RECOVERY_CONTROL", "RoutingControlArn": "arn:none"},
        )
