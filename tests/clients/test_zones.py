"""Hosted zones, delegation sets, tags, changes and VPCs with boto3."""

from support import Case, a


class Zones(Case):
    def test_life_of_a_zone(self):
        reference = self.reference()
        made = self.route53.create_hosted_zone(
            Name="Life.Example", CallerReference=reference, HostedZoneConfig={"Comment": "<hä & co>"}
        )
        zone = made["HostedZone"]
        self.assertEqual("life.example.", zone["Name"])
        self.assertEqual({"Comment": "<hä & co>", "PrivateZone": False}, zone["Config"])
        self.assertEqual(2, zone["ResourceRecordSetCount"])
        self.assertTrue(made["Location"].endswith(zone["Id"]))
        self.assertEqual(["ns1.example.org", "ns2.example.org"], made["DelegationSet"]["NameServers"])
        self.wait(made["ChangeInfo"]["Id"])
        got = self.route53.get_hosted_zone(Id=zone["Id"])
        self.assertEqual(zone, got["HostedZone"])
        self.route53.update_hosted_zone_comment(Id=zone["Id"])
        self.assertNotIn("Comment", self.route53.get_hosted_zone(Id=zone["Id"])["HostedZone"]["Config"])
        self.refused(
            "HostedZoneAlreadyExists", 409, self.route53.create_hosted_zone,
            Name="other.example", CallerReference=reference,
        )
        self.change(zone["Id"], ("CREATE", a("www.life.example", "192.0.2.1")))
        message = self.refused("HostedZoneNotEmpty", 400, self.route53.delete_hosted_zone, Id=zone["Id"])
        self.assertIn("non-required resource record sets", message)
        self.change(zone["Id"], ("DELETE", a("www.life.example", "192.0.2.1")))
        self.wait(self.route53.delete_hosted_zone(Id=zone["Id"])["ChangeInfo"]["Id"])
        self.refused("NoSuchHostedZone", 404, self.route53.get_hosted_zone, Id=zone["Id"])
        self.refused(
            "HostedZoneAlreadyExists", 409, self.route53.create_hosted_zone,
            Name="life.example", CallerReference=reference,
        )

    def test_names_that_cannot_be_zones(self):
        for name in [".", "*.example", "a..example", "a" * 64 + ".example"]:
            self.refused(
                "InvalidDomainName", 400, self.route53.create_hosted_zone,
                Name=name, CallerReference=self.reference(),
            )
        self.zone("twice.example")
        self.refused(
            "ConflictingDomainExists", 400, self.route53.create_hosted_zone,
            Name="TWICE.example.", CallerReference=self.reference(),
        )
        self.zone("below.twice.example")
        self.refused(
            "InvalidVPCId", 400, self.route53.create_hosted_zone, Name="vpc.example",
            CallerReference=self.reference(), VPC={"VPCRegion": "us-east-1", "VPCId": "vpc-1"},
        )

    def test_lists_to_the_last_page(self):
        ids = {self.zone(f"z{at}.pages.example") for at in range(5)}
        pages = list(self.route53.get_paginator("list_hosted_zones").paginate(PaginationConfig={"PageSize": 2}))
        listed = [zone["Id"].removeprefix("/hostedzone/") for page in pages for zone in page["HostedZones"]]
        self.assertLessEqual(ids, set(listed))
        self.assertEqual(sorted(listed), listed)
        self.assertFalse(pages[-1]["IsTruncated"])
        self.assertTrue(all(page["MaxItems"] == "2" for page in pages))
        self.assertEqual(len(listed), self.route53.get_hosted_zone_count()["HostedZoneCount"])

        page = self.route53.list_hosted_zones_by_name(DNSName="z1.pages.example", MaxItems="2")
        self.assertEqual(
            ["z1.pages.example.", "z2.pages.example."], [zone["Name"] for zone in page["HostedZones"]]
        )
        self.assertEqual("z3.pages.example.", page["NextDNSName"])
        page = self.route53.list_hosted_zones_by_name(
            DNSName=page["NextDNSName"], HostedZoneId=page["NextHostedZoneId"], MaxItems="1"
        )
        self.assertEqual("z3.pages.example.", page["HostedZones"][0]["Name"])
        self.refused("InvalidInput", 400, self.route53.list_hosted_zones, MaxItems="0")

    def test_tags(self):
        zone = self.zone("tags.example")
        add = [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": ""}]
        self.route53.change_tags_for_resource(ResourceType="hostedzone", ResourceId=zone, AddTags=add)
        self.route53.change_tags_for_resource(
            ResourceType="hostedzone", ResourceId=zone, AddTags=[{"Key": "a", "Value": "2"}], RemoveTagKeys=["c"]
        )
        got = self.route53.list_tags_for_resource(ResourceType="hostedzone", ResourceId=zone)
        self.assertEqual([{"Key": "a", "Value": "2"}, {"Key": "b", "Value": ""}], got["ResourceTagSet"]["Tags"])
        many = self.route53.list_tags_for_resources(ResourceType="hostedzone", ResourceIds=[zone])
        self.assertEqual(zone, many["ResourceTagSets"][0]["ResourceId"])
        self.refused(
            "InvalidInput", 400, self.route53.change_tags_for_resource, ResourceType="hostedzone", ResourceId=zone
        )
        self.refused(
            "NoSuchHostedZone", 404, self.route53.list_tags_for_resource, ResourceType="hostedzone", ResourceId="Z0"
        )
        self.refused(
            "NoSuchHealthCheck", 404, self.route53.list_tags_for_resource,
            ResourceType="healthcheck", ResourceId="none",
        )

    def test_delegation_sets(self):
        reference = self.reference()
        made = self.route53.create_reusable_delegation_set(CallerReference=reference)
        bare = made["DelegationSet"]["Id"].removeprefix("/delegationset/")
        self.assertEqual(["ns1.example.org", "ns2.example.org"], made["DelegationSet"]["NameServers"])
        self.refused(
            "DelegationSetAlreadyCreated", 400, self.route53.create_reusable_delegation_set,
            CallerReference=reference,
        )
        self.assertEqual(
            made["DelegationSet"], self.route53.get_reusable_delegation_set(Id=bare)["DelegationSet"]
        )
        zone = self.route53.create_hosted_zone(
            Name="set.example", CallerReference=self.reference(), DelegationSetId=bare
        )
        self.assertEqual(f"/delegationset/{bare}", zone["DelegationSet"]["Id"])
        listed = self.route53.list_hosted_zones(DelegationSetId=bare)["HostedZones"]
        self.assertEqual(["set.example."], [zone["Name"] for zone in listed])
        limit = self.route53.get_reusable_delegation_set_limit(
            DelegationSetId=bare, Type="MAX_ZONES_BY_REUSABLE_DELEGATION_SET"
        )
        self.assertEqual(1, limit["Count"])
        self.refused("DelegationSetInUse", 400, self.route53.delete_reusable_delegation_set, Id=bare)
        self.route53.delete_hosted_zone(Id=zone["HostedZone"]["Id"])
        self.route53.delete_reusable_delegation_set(Id=bare)
        self.refused("NoSuchDelegationSet", 400, self.route53.get_reusable_delegation_set, Id=bare)
        self.refused(
            "NoSuchDelegationSet", 400, self.route53.create_hosted_zone,
            Name="noset.example", CallerReference=self.reference(), DelegationSetId=bare,
        )
        self.refused(
            "HostedZoneNotFound", 400, self.route53.create_reusable_delegation_set,
            CallerReference=self.reference(), HostedZoneId="Z0",
        )
        page = self.route53.list_reusable_delegation_sets()
        self.assertFalse(page["IsTruncated"])

    def test_limits(self):
        zone = self.zone("limits.example")
        limit = self.route53.get_hosted_zone_limit(HostedZoneId=zone, Type="MAX_RRSETS_BY_ZONE")
        self.assertEqual((10000, 2), (limit["Limit"]["Value"], limit["Count"]))
        self.refused(
            "HostedZoneNotPrivate", 400, self.route53.get_hosted_zone_limit,
            HostedZoneId=zone, Type="MAX_VPCS_ASSOCIATED_BY_ZONE",
        )
        limit = self.route53.get_account_limit(Type="MAX_HOSTED_ZONES_BY_OWNER")
        self.assertEqual(self.route53.get_hosted_zone_count()["HostedZoneCount"], limit["Count"])
        self.refused("InvalidInput", 400, self.route53.get_account_limit, Type="MAX_NONSENSE")

    def test_vpcs_are_refused_in_their_own_words(self):
        zone, vpc = self.zone("vpcs.example"), {"VPCRegion": "us-east-1", "VPCId": "vpc-1"}
        for code, status, call in [
            ("PublicZoneVPCAssociation", 400, self.route53.associate_vpc_with_hosted_zone),
            ("VPCAssociationNotFound", 404, self.route53.disassociate_vpc_from_hosted_zone),
            ("InvalidVPCId", 400, self.route53.create_vpc_association_authorization),
            ("VPCAssociationAuthorizationNotFound", 404, self.route53.delete_vpc_association_authorization),
        ]:
            self.refused(code, status, call, HostedZoneId=zone, VPC=vpc)
        self.assertEqual([], self.route53.list_vpc_association_authorizations(HostedZoneId=zone)["VPCs"])
        found = self.route53.list_hosted_zones_by_vpc(VPCId="vpc-1", VPCRegion="us-east-1")
        self.assertEqual([], found["HostedZoneSummaries"])

    def test_what_is_not_built(self):
        message = self.refused(
            "UnsupportedOperation", 400, self.route53.create_traffic_policy, Name="p", Document="{}"
        )
        self.assertIn("CreateTrafficPolicy", message)
        self.assertEqual([], self.route53.list_traffic_policies()["TrafficPolicySummaries"])
        self.assertEqual(0, self.route53.get_traffic_policy_instance_count()["TrafficPolicyInstanceCount"])
        self.refused("NoSuchChange", 404, self.route53.get_change, Id="C0")

    def test_geo_locations(self):
        # botocore knows no paginator for them.
        start, places = {}, []
        while True:
            page = self.route53.list_geo_locations(MaxItems="100", **start)
            places += page["GeoLocationDetailsList"]
            if not page["IsTruncated"]:
                break
            codes = ["ContinentCode", "CountryCode", "SubdivisionCode"]
            start = {f"Start{code}": page[f"Next{code}"] for code in codes if f"Next{code}" in page}
        self.assertEqual({"ContinentCode": "AF", "ContinentName": "Africa"}, places[0])
        self.assertIn({"CountryCode": "DE", "CountryName": "Germany"}, places)
        self.assertEqual(51, sum("SubdivisionCode" in place for place in places))
        self.assertEqual(len(places), len({tuple(sorted(place.items())) for place in places}))
        found = self.route53.get_geo_location(CountryCode="US", SubdivisionCode="CA")["GeoLocationDetails"]
        self.assertEqual("California", found["SubdivisionName"])
        self.refused("NoSuchGeoLocation", 404, self.route53.get_geo_location, CountryCode="XX")
        self.refused("InvalidInput", 400, self.route53.get_geo_location, ContinentCode="EU", CountryCode="DE")
