"""Every list, page by page to the last one, and lists of what there cannot be."""

from support import Case, a


class Pages(Case):
    def by_marker(self, call, items, size=2, marker="Marker", next_marker="NextMarker", **arguments):
        """Follows markers; all items, each page no larger than asked for, and the last one marked as such."""
        found, start = [], {}
        while True:
            page = call(MaxItems=str(size), **start, **arguments)
            self.assertEqual(str(size), page["MaxItems"])
            self.assertLessEqual(len(page[items]), size)
            found += page[items]
            if not page["IsTruncated"]:
                self.assertNotIn(next_marker, page)
                return found
            self.assertEqual(size, len(page[items]))
            start = {marker: page[next_marker]}

    def by_token(self, call, items, size=2, **arguments):
        found, start = [], {}
        while True:
            page = call(MaxResults=str(size), **start, **arguments)
            self.assertLessEqual(len(page[items]), size)
            found += page[items]
            if "NextToken" not in page:
                return found
            start = {"NextToken": page["NextToken"]}

    def test_zones_by_name(self):
        names = [f"{label}.names.example." for label in ["a", "b", "c", "d", "e"]]
        for name in names:
            self.zone(name)
        found, start = [], {"DNSName": names[0]}
        while True:
            page = self.route53.list_hosted_zones_by_name(MaxItems="2", **start)
            self.assertEqual(start["DNSName"], page["DNSName"])
            found += [zone["Name"] for zone in page["HostedZones"]]
            if not page["IsTruncated"]:
                break
            start = {"DNSName": page["NextDNSName"], "HostedZoneId": page["NextHostedZoneId"]}
        self.assertNotIn("NextDNSName", page)
        self.assertEqual(names, found[: len(names)])
        self.assertEqual(len(found), len(set(found)))

    def test_delegation_sets(self):
        ids = {
            self.route53.create_reusable_delegation_set(CallerReference=self.reference())["DelegationSet"]["Id"]
            for _ in range(5)
        }
        found = self.by_marker(self.route53.list_reusable_delegation_sets, "DelegationSets")
        self.assertLessEqual(ids, {each["Id"] for each in found})
        self.assertEqual(len(found), len({each["Id"] for each in found}))
        for id in ids:
            self.route53.delete_reusable_delegation_set(Id=id.removeprefix("/delegationset/"))

    def test_zones_and_checks_by_marker(self):
        zones = {self.zone(f"z{at}.markers.example") for at in range(5)}
        found = self.by_marker(self.route53.list_hosted_zones, "HostedZones")
        self.assertLessEqual(zones, {zone["Id"].removeprefix("/hostedzone/") for zone in found})
        config = {"Type": "TCP", "IPAddress": "127.0.0.9", "Port": 9, "Disabled": True}
        create = self.route53.create_health_check
        checks = {
            create(CallerReference=self.reference(), HealthCheckConfig=config)["HealthCheck"]["Id"] for _ in range(5)
        }
        found = self.by_marker(self.route53.list_health_checks, "HealthChecks")
        self.assertLessEqual(checks, {check["Id"] for check in found})

    def test_locations_and_blocks(self):
        id = self.route53.create_cidr_collection(Name="pages", CallerReference="p")["Collection"]["Id"]
        blocks = {f"l{at}": [f"10.{at}.{block}.0/24" for block in range(3)] for at in range(5)}
        self.route53.change_cidr_collection(Id=id, Changes=[
            {"LocationName": location, "Action": "PUT", "CidrList": list} for location, list in blocks.items()
        ])
        found = self.by_token(self.route53.list_cidr_locations, "CidrLocations", CollectionId=id)
        self.assertEqual(list(blocks), [each["LocationName"] for each in found])
        found = self.by_token(self.route53.list_cidr_blocks, "CidrBlocks", size=4, CollectionId=id)
        self.assertEqual(
            [(location, block) for location, list in blocks.items() for block in list],
            [(each["LocationName"], each["CidrBlock"]) for each in found],
        )
        found = self.by_token(self.route53.list_cidr_blocks, "CidrBlocks", CollectionId=id, LocationName="l3")
        self.assertEqual(blocks["l3"], [each["CidrBlock"] for each in found])
        self.assertIn(id, [each["Id"] for each in self.by_token(self.route53.list_cidr_collections, "CidrCollections")])

    def test_protections(self):
        zone = self.zone("kept.example")
        kept = [{"RecordName": f"n{at}.kept.example.", "RecordType": "A"} for at in range(5)]
        self.route53.create_resource_record_set_protections(HostedZoneId=zone, Protections=kept)
        call = self.route53.list_resource_record_set_protections
        self.assertEqual(kept, self.by_token(call, "ResourceRecordSetProtections", HostedZoneId=zone))

    def test_query_logging_configurations(self):
        zones = [self.zone(f"q{at}.logs.example") for at in range(5)]
        arn = "arn:aws:logs:us-east-1:123456789012:log-group:pages"
        made = {
            self.route53.create_query_logging_config(HostedZoneId=zone, CloudWatchLogsLogGroupArn=arn)
            ["QueryLoggingConfig"]["Id"] for zone in zones
        }
        found = self.by_token(self.route53.list_query_logging_configs, "QueryLoggingConfigs")
        self.assertEqual(made, {each["Id"] for each in found})
        self.assertEqual(5, len(found))
        for id in made:
            self.route53.delete_query_logging_config(Id=id)
        self.assertEqual([], self.route53.list_query_logging_configs()["QueryLoggingConfigs"])

    def test_record_sets_by_name_type_and_identifier(self):
        zone = self.zone("sets.example")
        sets = [
            a("g.sets.example.", f"192.0.2.{at}", SetIdentifier=f"s{at}", MultiValueAnswer=True) for at in range(7)
        ]
        self.change(zone, *[("CREATE", each) for each in sets], wait=False)
        found, start = [], {}
        while True:
            page = self.route53.list_resource_record_sets(HostedZoneId=zone, MaxItems="3", **start)
            found += page["ResourceRecordSets"]
            if not page["IsTruncated"]:
                break
            start = {
                f"StartRecord{part}": page[f"NextRecord{part}"]
                for part in ["Name", "Type", "Identifier"] if f"NextRecord{part}" in page
            }
        self.assertEqual(sets, found[2:])
        # More than a page has room for is cut, and nothing else than a number is taken.
        page = self.route53.list_resource_record_sets(HostedZoneId=zone, MaxItems="1000")
        self.assertEqual(("300", False), (page["MaxItems"], page["IsTruncated"]))
        for wrong in ["0", "-1", "many"]:
            self.refused(
                "InvalidInput", 400, self.route53.list_resource_record_sets, HostedZoneId=zone, MaxItems=wrong
            )

    def test_lists_of_what_there_cannot_be(self):
        zone = self.zone("policies2.example")
        id = "12345678-abcd-9876-fedc-1a2b3c4de5f6"
        for items, call, arguments in [
            ("TrafficPolicySummaries", self.route53.list_traffic_policies, {}),
            ("TrafficPolicies", self.route53.list_traffic_policy_versions, {"Id": id}),
            ("TrafficPolicyInstances", self.route53.list_traffic_policy_instances, {}),
            ("TrafficPolicyInstances", self.route53.list_traffic_policy_instances_by_hosted_zone,
             {"HostedZoneId": zone}),
            ("TrafficPolicyInstances", self.route53.list_traffic_policy_instances_by_policy,
             {"TrafficPolicyId": id, "TrafficPolicyVersion": 1}),
        ]:
            page = call(MaxItems="7", **arguments)
            self.assertEqual(([], False, "7"), (page[items], page["IsTruncated"], page["MaxItems"]))
            required = call.__self__.meta.service_model.operation_model(
                call.__self__.meta.method_to_api_mapping[call.__name__]
            ).output_shape.required_members
            self.assertLessEqual(set(required), set(page))
        self.assertEqual(0, self.route53.get_traffic_policy_instance_count()["TrafficPolicyInstanceCount"])
        self.assertEqual([], self.route53.list_vpc_association_authorizations(HostedZoneId=zone)["VPCs"])
        page = self.route53.list_hosted_zones_by_vpc(VPCId="vpc-1", VPCRegion="us-east-1")
        self.assertEqual(([], "100"), (page["HostedZoneSummaries"], page["MaxItems"]))
