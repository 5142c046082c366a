"""Every error code of every operation, as botocore's model lists them: each pair is provoked here, or it cannot come.

The node of this test has low limits (`[limits]` in tests/blackbox/clients.rs) and a zone of a file, `file.example`.
"""

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from support import ENDPOINT, Case, a

# Codes that no operation of ours gives.
NEVER = {
    "ConcurrentModification": "changes wait for each other",
    "PriorRequestNotComplete": "changes wait for each other",
    "ThrottlingException": "there is no rate limit",
    "IncompatibleVersion": "every health check is of the one version there is",
    "DelegationSetNotReusable": "a delegation set that has an id is reusable",
    "InvalidArgument": "InvalidInput says what is wrong with an argument",
    "InsufficientCloudWatchLogsResourcePolicy": "files have no resource policies",
    "NotAuthorizedException": "there are no VPCs of others",
    "LastVPCAssociation": "there are no VPCs",
    "TooManyVPCAssociationAuthorizations": "there are no VPCs",
    "InvalidSigningStatus": "a zone is signed or not, and keys are made and switched in either state",
    "NoSuchTrafficPolicy": "lists of traffic policies are empty",
    "NoSuchTrafficPolicyInstance": "lists of traffic policies are empty",
}

# What an operation does not give though others do: it takes nothing that could be wrong so, or says so by another code.
NEVER_BY = {
    "InvalidInput": {
        "ActivateKeySigningKey", "AssociateVPCWithHostedZone", "CreateVPCAssociationAuthorization",
        "DeactivateKeySigningKey", "DeleteCidrCollection", "DeleteHealthCheck", "DeleteHostedZone",
        "DeleteKeySigningKey", "DeleteQueryLoggingConfig", "DeleteReusableDelegationSet",
        "DeleteVPCAssociationAuthorization", "DisableHostedZoneDNSSEC", "DisassociateVPCFromHostedZone",
        "EnableHostedZoneDNSSEC", "GetChange", "GetDNSSEC", "GetHealthCheck", "GetHealthCheckLastFailureReason",
        "GetHealthCheckStatus", "GetHostedZone", "GetHostedZoneCount", "GetQueryLoggingConfig",
        "GetReusableDelegationSet", "ListVPCAssociationAuthorizations",
    },
    "InvalidVPCId": {
        "AssociateVPCWithHostedZone", "DeleteVPCAssociationAuthorization", "DisassociateVPCFromHostedZone",
    },
    "ConflictingDomainExists": {"AssociateVPCWithHostedZone"},
    "DNSSECNotFound": {"EnableHostedZoneDNSSEC"},
    # Once a key is there, its ARN is a label and asked for nothing.
    "InvalidKMSArn": {
        "ActivateKeySigningKey", "DeleteKeySigningKey", "DisableHostedZoneDNSSEC", "EnableHostedZoneDNSSEC",
    },
    # A key works or is not there.
    "InvalidKeySigningKeyStatus": {"DisableHostedZoneDNSSEC", "EnableHostedZoneDNSSEC"},
    "InvalidDomainName": {"DeleteHostedZone"},
    "LimitsExceeded": {"AssociateVPCWithHostedZone", "CreateResourceRecordSetProtections"},
    # A node that has no name servers configured gives it: tests/blackbox/api.rs.
    "DelegationSetNotAvailable": {"CreateHostedZone", "CreateReusableDelegationSet"},
}

STATUS = {
    **dict.fromkeys([
        "NoSuchHostedZone", "NoSuchChange", "NoSuchHealthCheck", "NoSuchGeoLocation", "NoSuchCidrCollectionException",
        "NoSuchCidrLocationException", "NoSuchKeySigningKey", "NoSuchQueryLoggingConfig",
        "NoSuchCloudWatchLogsLogGroup", "VPCAssociationNotFound", "VPCAssociationAuthorizationNotFound",
    ], 404),
    **dict.fromkeys([
        "HostedZoneAlreadyExists", "HealthCheckAlreadyExists", "HealthCheckVersionMismatch",
        "CidrCollectionVersionMismatchException", "QueryLoggingConfigAlreadyExists", "ProtectionAlreadyExists",
        "KeySigningKeyAlreadyExists",
    ], 409),
    "AccessDenied": 403,
}

NOT_BUILT = {
    "UpdateHostedZoneFeatures", "CreateTrafficPolicy", "CreateTrafficPolicyVersion", "GetTrafficPolicy",
    "UpdateTrafficPolicyComment", "DeleteTrafficPolicy", "CreateTrafficPolicyInstance",
    "GetTrafficPolicyInstance", "UpdateTrafficPolicyInstance", "DeleteTrafficPolicyInstance",
}

GROUP = "arn:aws:logs:us-east-1:123456789012:log-group:"
LONG, NO_ID = "x" * 300, "12345678-abcd-9876-fedc-1a2b3c4de5f6"
VPC = {"VPCRegion": "us-east-1", "VPCId": "vpc-1"}
CHECK = {"Type": "TCP", "IPAddress": "127.0.0.9", "Port": 9, "Disabled": True}


class Errors(Case):
    def setUp(self):
        super().setUp()
        # What botocore itself refuses must be refused on the wire, too.
        config = Config(retries={"max_attempts": 0}, parameter_validation=False)
        self.route53 = boto3.client("route53", endpoint_url=ENDPOINT, config=config)
        self.model = self.route53.meta.service_model
        self.methods = {operation: method for method, operation in self.route53.meta.method_to_api_mapping.items()}
        self.seen = set()

    def call(self, operation, **arguments):
        return getattr(self.route53, self.methods[operation])(**arguments)

    def check(self, code, operation, **arguments):
        """The operation is refused with this code, in its status and envelope."""
        with self.subTest(f"{operation}: {code}", **arguments):
            with self.assertRaises(ClientError) as caught:
                self.call(operation, **arguments)
            response = caught.exception.response
            self.assertEqual(code, response["Error"]["Code"], response)
            self.assertEqual(STATUS.get(code, 400), response["ResponseMetadata"]["HTTPStatusCode"], response)
            self.assertEqual("Sender", response["Error"]["Type"])
            self.assertTrue(response["Error"]["Message"])
            self.assertTrue(response["ResponseMetadata"]["RequestId"])
            # The model's own exception, where it has one.
            if code in self.model.shape_names:
                self.assertIsInstance(caught.exception, getattr(self.route53.exceptions, code))
            self.seen.add((operation, code))

    def batch(self, zone, *changes):
        changes = [{"Action": action, "ResourceRecordSet": rrset} for action, rrset in changes]
        return {"HostedZoneId": zone, "ChangeBatch": {"Changes": changes}}

    def test_every_pair_of_operation_and_code(self):
        zone = self.zone("errors.example")
        self.zones(zone)
        self.zone_lists(zone)
        self.records(zone)
        self.protections(zone)
        self.delegation_sets(zone)
        self.checks()
        self.collections(zone)
        self.tags(zone)
        self.query_logs(zone)
        self.places_limits_and_answers(zone)
        self.vpcs(zone)
        self.keys(zone)
        listed = {
            (operation, shape.name)
            for operation in self.model.operation_names if operation not in NOT_BUILT
            for shape in self.model.operation_model(operation).error_shapes
        }
        never = {pair for pair in listed if pair[1] in NEVER or pair[0] in NEVER_BY.get(pair[1], ())}
        # The model lists it everywhere, and lists without arguments have nothing that is wrong.
        self.assertEqual(set(), listed - never - self.seen)
        self.assertEqual(set(), never & self.seen)

    def zones(self, zone):
        taken = self.reference()
        self.call("CreateHostedZone", Name="taken.example", CallerReference=taken)
        fresh = lambda **more: {"Name": "new.example", "CallerReference": self.reference(), **more}
        self.check("HostedZoneAlreadyExists", "CreateHostedZone", **fresh(CallerReference=taken))
        self.check("ConflictingDomainExists", "CreateHostedZone", **fresh(Name="taken.example"))
        self.check("ConflictingDomainExists", "CreateHostedZone", **fresh(Name="file.example"))
        self.check("InvalidDomainName", "CreateHostedZone", **fresh(Name="new..example"))
        self.check("InvalidInput", "CreateHostedZone", **fresh(CallerReference=LONG))
        self.check("InvalidInput", "CreateHostedZone", **fresh(HostedZoneConfig={"Comment": LONG}))
        self.check("InvalidVPCId", "CreateHostedZone", **fresh(VPC=VPC))
        self.check("InvalidVPCId", "CreateHostedZone", **fresh(HostedZoneConfig={"PrivateZone": True}))
        self.check("NoSuchDelegationSet", "CreateHostedZone", **fresh(DelegationSetId="N0"))
        made = []
        while len(made) < 50:
            try:
                one = self.call("CreateHostedZone", **fresh(Name=f"many{len(made)}.example"))
            except ClientError:
                break
            made.append(one["HostedZone"]["Id"])
        self.check("TooManyHostedZones", "CreateHostedZone", **fresh())
        for id in made:
            self.call("DeleteHostedZone", Id=id)
        self.check("NoSuchHostedZone", "GetHostedZone", Id="Z0")
        self.check("NoSuchHostedZone", "DeleteHostedZone", Id="Z0")
        self.call("ChangeResourceRecordSets", **self.batch(zone, ("CREATE", a("x.errors.example", "192.0.2.1"))))
        self.check("HostedZoneNotEmpty", "DeleteHostedZone", Id=zone)
        self.check("NoSuchHostedZone", "UpdateHostedZoneComment", Id="Z0", Comment="x")
        self.check("InvalidInput", "UpdateHostedZoneComment", Id=zone, Comment=LONG)
        self.check("NoSuchChange", "GetChange", Id="C0")
        found = self.call("ListHostedZonesByName", DNSName="file.example")["HostedZones"][0]["Id"]
        self.of_file = found.removeprefix("/hostedzone/")
        for operation in ["DeleteHostedZone", "UpdateHostedZoneComment"]:
            self.check("AccessDenied", operation, Id=self.of_file)

    def zone_lists(self, zone):
        self.check("InvalidInput", "ListHostedZones", MaxItems="0")
        self.check("NoSuchDelegationSet", "ListHostedZones", DelegationSetId="N0")
        self.check("InvalidDomainName", "ListHostedZonesByName", DNSName="a..example")
        self.check("InvalidInput", "ListHostedZonesByName", HostedZoneId=zone)
        self.check("InvalidInput", "ListHostedZonesByVPC", VPCId="vpc-1", VPCRegion="us-east-1", MaxItems="x")
        self.check(
            "InvalidPaginationToken", "ListHostedZonesByVPC", VPCId="vpc-1", VPCRegion="us-east-1", NextToken="x"
        )

    def records(self, zone):
        self.check("NoSuchHostedZone", "ChangeResourceRecordSets", **self.batch("Z0", ("CREATE", a("x", "192.0.2.1"))))
        self.check("AccessDenied", "ChangeResourceRecordSets",
                   **self.batch(self.of_file, ("CREATE", a("x.file.example", "192.0.2.1"))))
        name = "e.errors.example"
        self.check("NoSuchHealthCheck", "ChangeResourceRecordSets",
                   **self.batch(zone, ("CREATE", a(name, "192.0.2.1", HealthCheckId=NO_ID))))
        for wrong in [
            {"Name": name, "Type": "A"}, {"Name": name, "Type": "A", "TTL": 60},
            {**a(name, "192.0.2.1"), "AliasTarget": {"HostedZoneId": zone, "DNSName": "x", "EvaluateTargetHealth": True}},
            {**a(name, "192.0.2.1"), "Type": "NONSENSE"}, a(name, "192.0.2.1", Weight=1),
            a(name, "192.0.2.1", SetIdentifier="s"), a(name, "192.0.2.1", SetIdentifier="s", Weight=1, Region="r"),
            a(name, "192.0.2.1", SetIdentifier="s", Weight=256), a(name, "192.0.2.1", SetIdentifier=LONG, Weight=1),
            a(name, "192.0.2.1", ttl=-1), a(name, "192.0.2.1", SetIdentifier="s", Failover="TERTIARY"),
            a(name, "192.0.2.1", SetIdentifier="s", GeoLocation={"CountryCode": "XX"}),
            a(name, "192.0.2.1", SetIdentifier="s", GeoLocation={"CountryCode": "DE", "ContinentCode": "EU"}),
        ]:
            self.check("InvalidInput", "ChangeResourceRecordSets", **self.batch(zone, ("CREATE", wrong)))
        self.check("InvalidInput", "ChangeResourceRecordSets", **self.batch(zone, ("REPLACE", a(name, "192.0.2.1"))))
        txt = lambda value: {"Name": name, "Type": "TXT", "TTL": 60, "ResourceRecords": [{"Value": value}]}
        weighted = lambda id, ttl: a(name, "192.0.2.1", ttl=ttl, SetIdentifier=id, Weight=1)
        for changes, words in [
            ([("CREATE", a("x.errors.example", "192.0.2.1"))], "but it already exists"),
            ([("DELETE", a(name, "192.0.2.1"))], "but it was not found"),
            ([("DELETE", a("x.errors.example", "192.0.2.2"))], "do not match the current values"),
            ([("CREATE", a(name, "192.0.2.1"))] * 2, "invalid set of changes for a resource record set"),
            ([("CREATE", a("x.example.org", "192.0.2.1"))], "is not permitted in zone errors.example."),
            ([("CREATE", {**txt("x.example"), "Type": "CNAME"}), ("CREATE", a(name, "192.0.2.1"))],
             "because a conflicting RRSet of type CNAME"),
            ([("CREATE", a(name, "192.0.2.1", "192.0.2.1"))], "Duplicate Resource Record: '192.0.2.1'"),
            ([("CREATE", a(name, "192.0.2"))], "ARRDATAIllegalIPv4Address (Value is not a valid IPv4 address)"),
            ([("CREATE", {**a(name, "::g"), "Type": "AAAA"})], "AAAARRDATAIllegalIPv6Address"),
            ([("CREATE", txt("bare"))], "InvalidCharacterString (Value should be enclosed in quotation marks)"),
            ([("CREATE", txt('"' + "x" * 256 + '"'))], "CharacterStringTooLong"),
            ([("CREATE", a("a b.errors.example", "192.0.2.1"))], "UnsupportedCharacter"),
            ([("CREATE", weighted("a", 60)), ("CREATE", weighted("b", 61))],
             "as weighted sets must contain the same TTL"),
            ([("CREATE", a(name, "192.0.2.1")), ("CREATE", weighted("a", 60))], "cannot be created as"),
            ([("CREATE", a(name, "192.0.2.1", SetIdentifier=id, Region="eu-west-1")) for id in "ab"],
             "and Region Name=eu-west-1 cannot be created because a latency RRSet"),
            ([("UPSERT", a(f"n{at}.errors.example", "192.0.2.1")) for at in range(501)],
             "Number of records limit of 1000 exceeded."),
            ([("CREATE", {**txt(f'"{"x" * 250}"'), "Name": f"n{at}.errors.example"}) for at in range(130)],
             "Number of characters limit of 32000 exceeded."),
            ([("CREATE", a(f"n{at}.errors.example", "192.0.2.1")) for at in range(61)],
             "Number of record sets limit of 60 per zone exceeded."),
        ]:
            arguments = self.batch(zone, *changes)
            self.check("InvalidChangeBatch", "ChangeResourceRecordSets", **arguments)
            message = self.refused("InvalidChangeBatch", 400, self.route53.change_resource_record_sets, **arguments)
            self.assertIn(words, message)
            self.assertRegex(message, r"^\[.*\]$")
        self.assertEqual(3, len(self.sets(zone)), "nothing of all that is there")
        self.check("NoSuchHostedZone", "ListResourceRecordSets", HostedZoneId="Z0")
        for wrong in [
            {"StartRecordType": "A"}, {"StartRecordName": "a", "StartRecordIdentifier": "s"}, {"MaxItems": "x"},
            {"StartRecordName": "a..b"}, {"StartRecordName": "a", "StartRecordType": "NONSENSE"},
        ]:
            self.check("InvalidInput", "ListResourceRecordSets", HostedZoneId=zone, **wrong)

    def protections(self, zone):
        create, delete = "CreateResourceRecordSetProtections", "DeleteResourceRecordSetProtections"
        key = {"RecordName": "p.errors.example", "RecordType": "A"}
        other = {**key, "RecordName": "q.errors.example"}
        for operation in [create, delete]:
            self.check("NoSuchHostedZone", operation, HostedZoneId="Z0", Protections=[key])
            self.check("AccessDenied", operation, HostedZoneId=self.of_file, Protections=[key])
            self.check("InvalidInput", operation, HostedZoneId=zone, Protections=[{**key, "RecordName": "a..b"}])
            self.check("InvalidInput", operation, HostedZoneId=zone, Protections=[])
        self.call(create, HostedZoneId=zone, Protections=[key])
        self.check("ProtectionAlreadyExists", create, HostedZoneId=zone, Protections=[key])
        batch = "InvalidResourceRecordSetProtectionBatch"
        self.check(batch, create, HostedZoneId=zone, Protections=[key, other])
        self.check(batch, delete, HostedZoneId=zone, Protections=[other])
        self.check("HostedZoneNotEmpty", "DeleteHostedZone", Id=zone)
        self.call(delete, HostedZoneId=zone, Protections=[key])
        listing = "ListResourceRecordSetProtections"
        self.check("NoSuchHostedZone", listing, HostedZoneId="Z0")
        self.check("InvalidInput", listing, HostedZoneId=zone, MaxResults="0")
        self.check("InvalidPaginationToken", listing, HostedZoneId=zone, NextToken="nonsense")

    def delegation_sets(self, zone):
        create, taken = "CreateReusableDelegationSet", self.reference()
        set = self.call(create, CallerReference=taken)["DelegationSet"]["Id"].removeprefix("/delegationset/")
        self.check("DelegationSetAlreadyCreated", create, CallerReference=taken)
        self.check("InvalidInput", create, CallerReference=LONG)
        self.check("HostedZoneNotFound", create, CallerReference=self.reference(), HostedZoneId="Z0")
        user = self.call("CreateHostedZone", Name="user.example", CallerReference=self.reference(), DelegationSetId=set)
        user = user["HostedZone"]["Id"]
        self.check("DelegationSetAlreadyReusable", create, CallerReference=self.reference(), HostedZoneId=user)
        self.check("DelegationSetInUse", "DeleteReusableDelegationSet", Id=set)
        self.call("DeleteHostedZone", Id=user)
        others = [self.call(create, CallerReference=self.reference()) for _ in range(2)]
        self.check("LimitsExceeded", create, CallerReference=self.reference())
        for id in [set] + [other["DelegationSet"]["Id"].removeprefix("/delegationset/") for other in others]:
            self.call("DeleteReusableDelegationSet", Id=id)
        for operation in ["GetReusableDelegationSet", "DeleteReusableDelegationSet"]:
            self.check("NoSuchDelegationSet", operation, Id="N0")
        self.check("InvalidInput", "ListReusableDelegationSets", MaxItems="x")
        limit = {"DelegationSetId": "N0", "Type": "MAX_ZONES_BY_REUSABLE_DELEGATION_SET"}
        self.check("NoSuchDelegationSet", "GetReusableDelegationSetLimit", **limit)
        set = self.call(create, CallerReference=self.reference())["DelegationSet"]["Id"]
        self.check("InvalidInput", "GetReusableDelegationSetLimit", DelegationSetId=set, Type="MAX_NONSENSE")
        self.call("DeleteReusableDelegationSet", Id=set.removeprefix("/delegationset/"))

    def checks(self):
        create, taken = "CreateHealthCheck", self.reference()
        made = self.call(create, CallerReference=taken, HealthCheckConfig=CHECK)["HealthCheck"]["Id"]
        other = {**CHECK, "Port": 10}
        self.check("HealthCheckAlreadyExists", create, CallerReference=taken, HealthCheckConfig=other)
        for wrong in [
            {**CHECK, "IPAddress": "203.0.113.9"}, {**CHECK, "IPAddress": "nonsense"}, {**CHECK, "Port": 0},
            {**CHECK, "Type": "ICMP"}, {**CHECK, "FailureThreshold": 11}, {**CHECK, "RequestInterval": 20},
            {**CHECK, "Regions": ["us-east-1", "us-west-1"]},
            {**CHECK, "Regions": ["us-east-1", "us-west-1", "mars-1"]},
            {**CHECK, "AlarmIdentifier": {"Region": "us-east-1", "Name": "a"}},
            {"Type": "CALCULATED", "HealthThreshold": 1, "ChildHealthChecks": [NO_ID]},
            {"Type": "CALCULATED", "ChildHealthChecks": [made]},
            {"Type": "RECOVERY_CONTROL"}, {"Type": "RECOVERY_CONTROL", "RoutingControlArn": "arn:none"},
        ]:
            self.check("InvalidInput", create, CallerReference=self.reference(), HealthCheckConfig=wrong)
        self.check("InvalidInput", create, CallerReference=LONG, HealthCheckConfig=CHECK)
        # This checker itself is a region, too.
        own = {**CHECK, "Regions": ["us-east-1", "us-west-1", "here"]}
        made2 = self.call(create, CallerReference=self.reference(), HealthCheckConfig=own)["HealthCheck"]
        self.assertEqual(own["Regions"], made2["HealthCheckConfig"]["Regions"])
        parent = {"Type": "CALCULATED", "HealthThreshold": 1, "ChildHealthChecks": [made]}
        parent = self.call(create, CallerReference=self.reference(), HealthCheckConfig=parent)["HealthCheck"]["Id"]
        self.check("HealthCheckInUse", "DeleteHealthCheck", HealthCheckId=made)
        more = []
        while len(more) < 50:
            try:
                more.append(self.call(create, CallerReference=self.reference(), HealthCheckConfig=CHECK))
            except ClientError:
                break
        self.check("TooManyHealthChecks", create, CallerReference=self.reference(), HealthCheckConfig=CHECK)
        for one in more:
            self.call("DeleteHealthCheck", HealthCheckId=one["HealthCheck"]["Id"])
        self.check("HealthCheckVersionMismatch", "UpdateHealthCheck", HealthCheckId=made, HealthCheckVersion=7, Port=11)
        self.check("InvalidInput", "UpdateHealthCheck", HealthCheckId=made, FailureThreshold=11)
        self.check("InvalidInput", "UpdateHealthCheck", HealthCheckId=made, IPAddress="203.0.113.9")
        self.check("InvalidInput", "UpdateHealthCheck", HealthCheckId=made, FullyQualifiedDomainName="a.example")
        for operation in [
            "GetHealthCheck", "UpdateHealthCheck", "DeleteHealthCheck", "GetHealthCheckStatus",
            "GetHealthCheckLastFailureReason",
        ]:
            self.check("NoSuchHealthCheck", operation, HealthCheckId=NO_ID)
        self.check("InvalidInput", "ListHealthChecks", MaxItems="x")
        for id in [parent, made]:
            self.call("DeleteHealthCheck", HealthCheckId=id)
        self.made_check = made2["Id"]

    def collections(self, zone):
        create, change = "CreateCidrCollection", "ChangeCidrCollection"
        made = self.call(create, Name="errors", CallerReference="e")["Collection"]["Id"]
        self.check("CidrCollectionAlreadyExistsException", create, Name="errors", CallerReference="other")
        self.check("InvalidInput", create, Name="no spaces", CallerReference="e")
        others = [self.call(create, Name=f"errors{at}", CallerReference="e")["Collection"]["Id"] for at in range(2)]
        self.check("LimitsExceeded", create, Name="errors9", CallerReference="e")
        put = lambda location, *blocks, action="PUT": [
            {"LocationName": location, "Action": action, "CidrList": list(blocks)}
        ]
        self.call(change, Id=made, Changes=put("a", "198.51.100.0/24"))
        self.check("CidrBlockInUseException", change, Id=made, Changes=put("b", "198.51.100.0/24"))
        self.check("NoSuchCidrCollectionException", change, Id=NO_ID, Changes=put("a", "192.0.2.0/24"))
        self.check(
            "CidrCollectionVersionMismatchException", change, Id=made, CollectionVersion=9,
            Changes=put("a", "192.0.2.0/24"),
        )
        for wrong in [
            put("a", "192.0.2.0/25"), put("a", "2001:db8::/49"), put("a", "0.0.0.0/0"), put("a", "x"),
            put("a location", "192.0.2.0/24"), put("*", "192.0.2.0/24"), put("a", "192.0.2.0/24", action="SET"),
        ]:
            self.check("InvalidInput", change, Id=made, Changes=wrong)
        blocks = lambda high: [f"10.{high}.{low}.0/24" for low in range(256)]
        for high in range(3):
            self.call(change, Id=made, Changes=put("many", *blocks(high)))
        self.check("LimitsExceeded", change, Id=made, Changes=put("many", *blocks(3)))
        self.check("CidrCollectionInUseException", "DeleteCidrCollection", Id=made)
        for operation, arguments in [
            ("DeleteCidrCollection", {"Id": NO_ID}), ("ListCidrLocations", {"CollectionId": NO_ID}),
            ("ListCidrBlocks", {"CollectionId": NO_ID}),
        ]:
            self.check("NoSuchCidrCollectionException", operation, **arguments)
        self.check("NoSuchCidrLocationException", "ListCidrBlocks", CollectionId=made, LocationName="none")
        self.check("InvalidInput", "ListCidrBlocks", CollectionId=made, MaxResults="0")
        self.check("InvalidInput", "ListCidrLocations", CollectionId=made, NextToken="nonsense")
        self.check("InvalidInput", "ListCidrCollections", NextToken="nonsense")
        for collection, location in [(NO_ID, "a"), (made, "none")]:
            wrong = a("c.errors.example", "192.0.2.1", SetIdentifier="s",
                      CidrRoutingConfig={"CollectionId": collection, "LocationName": location})
            self.check("InvalidInput", "ChangeResourceRecordSets", **self.batch(zone, ("CREATE", wrong)))
        for id in others:
            self.call("DeleteCidrCollection", Id=id)

    def tags(self, zone):
        change, one, many = "ChangeTagsForResource", "ListTagsForResource", "ListTagsForResources"
        add = lambda count: [{"Key": f"k{at}", "Value": ""} for at in range(count)]
        zones, checks = {"ResourceType": "hostedzone"}, {"ResourceType": "healthcheck"}
        self.check("NoSuchHostedZone", change, **zones, ResourceId="Z0", AddTags=add(1))
        self.check("NoSuchHealthCheck", change, **checks, ResourceId=NO_ID, AddTags=add(1))
        self.check("AccessDenied", change, **zones, ResourceId=self.of_file, AddTags=add(1))
        self.check("NoSuchHostedZone", one, **zones, ResourceId="Z0")
        self.check("NoSuchHealthCheck", one, **checks, ResourceId=NO_ID)
        self.check("NoSuchHostedZone", many, **zones, ResourceIds=["Z0"])
        self.check("NoSuchHealthCheck", many, **checks, ResourceIds=[NO_ID])
        for wrong in [
            {**zones}, {**zones, "AddTags": add(11)}, {"ResourceType": "vpc", "AddTags": add(1)},
            {**zones, "AddTags": [{"Key": LONG, "Value": ""}]}, {**zones, "AddTags": [{"Key": "k", "Value": LONG}]},
        ]:
            self.check("InvalidInput", change, ResourceId=zone, **wrong)
        wrong = [{"Key": "pulse53:interval", "Value": "soon"}]
        self.check("InvalidInput", change, **checks, ResourceId=self.made_check, AddTags=wrong)
        self.check("InvalidInput", one, ResourceType="vpc", ResourceId=zone)
        self.check("InvalidInput", many, **zones, ResourceIds=[zone] * 11)
        # Fifty are the most that one thing has.
        for ten in range(5):
            tags = [{"Key": f"{ten}-{at}", "Value": "x"} for at in range(10)]
            self.call(change, **zones, ResourceId=zone, AddTags=tags)
        self.check("InvalidInput", change, **zones, ResourceId=zone, AddTags=add(1))

    def query_logs(self, zone):
        create, config = "CreateQueryLoggingConfig", {"HostedZoneId": zone, "CloudWatchLogsLogGroupArn": GROUP + "e"}
        self.check("NoSuchHostedZone", create, **{**config, "HostedZoneId": "Z0"})
        self.check("AccessDenied", create, **{**config, "HostedZoneId": self.of_file})
        for arn in ["nonsense", GROUP, GROUP + "..", GROUP + LONG, "arn:aws:sns:us-east-1:123456789012:log-group:e"]:
            self.check("InvalidInput", create, **{**config, "CloudWatchLogsLogGroupArn": arn})
        # Its file lies in a directory that there is not.
        self.check("NoSuchCloudWatchLogsLogGroup", create, **{**config, "CloudWatchLogsLogGroupArn": GROUP + "nowhere"})
        made = self.call(create, **config)["QueryLoggingConfig"]["Id"]
        self.check("QueryLoggingConfigAlreadyExists", create, **config)
        for operation in ["GetQueryLoggingConfig", "DeleteQueryLoggingConfig"]:
            self.check("NoSuchQueryLoggingConfig", operation, Id=NO_ID)
        self.check("NoSuchHostedZone", "ListQueryLoggingConfigs", HostedZoneId="Z0")
        self.check("InvalidInput", "ListQueryLoggingConfigs", MaxResults="0")
        self.check("InvalidPaginationToken", "ListQueryLoggingConfigs", NextToken="nonsense")
        self.call("DeleteQueryLoggingConfig", Id=made)

    def places_limits_and_answers(self, zone):
        self.check("NoSuchGeoLocation", "GetGeoLocation", CountryCode="XX")
        self.check("InvalidInput", "GetGeoLocation", ContinentCode="EU", CountryCode="DE")
        self.check("InvalidInput", "ListGeoLocations", MaxItems="0")
        self.check("InvalidInput", "GetAccountLimit", Type="MAX_NONSENSE")
        limit = {"HostedZoneId": zone, "Type": "MAX_RRSETS_BY_ZONE"}
        self.check("NoSuchHostedZone", "GetHostedZoneLimit", **{**limit, "HostedZoneId": "Z0"})
        self.check("InvalidInput", "GetHostedZoneLimit", **{**limit, "Type": "MAX_NONSENSE"})
        self.check("HostedZoneNotPrivate", "GetHostedZoneLimit", **{**limit, "Type": "MAX_VPCS_ASSOCIATED_BY_ZONE"})
        ask = {"HostedZoneId": zone, "RecordName": "errors.example", "RecordType": "A"}
        self.check("NoSuchHostedZone", "TestDNSAnswer", **{**ask, "HostedZoneId": "Z0"})
        for wrong in [
            {"RecordName": "a.example.org"}, {"RecordName": "a..b"}, {"RecordType": "NONSENSE"},
            {"ResolverIP": "x"}, {"EDNS0ClientSubnetIP": "192.0.2.1", "EDNS0ClientSubnetMask": "33"},
            {"EDNS0ClientSubnetMask": "24"},
        ]:
            self.check("InvalidInput", "TestDNSAnswer", **{**ask, **wrong})
        for operation in [
            "ListTrafficPolicies", "ListTrafficPolicyInstances",
        ]:
            self.check("InvalidInput", operation, MaxItems="0")
        self.check("InvalidInput", "ListTrafficPolicyVersions", Id=NO_ID, MaxItems="0")
        in_zone = "ListTrafficPolicyInstancesByHostedZone"
        self.check("InvalidInput", in_zone, HostedZoneId=zone, MaxItems="0")
        self.check("NoSuchHostedZone", in_zone, HostedZoneId="Z0")
        self.check("InvalidInput", "ListTrafficPolicyInstancesByPolicy", TrafficPolicyId=NO_ID,
                   TrafficPolicyVersion=1, MaxItems="0")

    def vpcs(self, zone):
        vpc_operations = {
            "AssociateVPCWithHostedZone": "PublicZoneVPCAssociation",
            "DisassociateVPCFromHostedZone": "VPCAssociationNotFound",
            "CreateVPCAssociationAuthorization": "InvalidVPCId",
            "DeleteVPCAssociationAuthorization": "VPCAssociationAuthorizationNotFound",
        }
        for operation, code in vpc_operations.items():
            self.check(code, operation, HostedZoneId=zone, VPC=VPC)
            self.check("NoSuchHostedZone", operation, HostedZoneId="Z0", VPC=VPC)
        listing = "ListVPCAssociationAuthorizations"
        self.check("NoSuchHostedZone", listing, HostedZoneId="Z0")
        self.check("InvalidPaginationToken", listing, HostedZoneId=zone, NextToken="x")

    def keys(self, zone):
        create, enable, disable = "CreateKeySigningKey", "EnableHostedZoneDNSSEC", "DisableHostedZoneDNSSEC"
        activate, deactivate, delete = "ActivateKeySigningKey", "DeactivateKeySigningKey", "DeleteKeySigningKey"
        kms = "arn:aws:kms:us-east-1:123456789012:key/"
        key = lambda name, arn, **more: {
            "CallerReference": "k", "HostedZoneId": zone, "KeyManagementServiceArn": kms + arn, "Name": name,
            "Status": "ACTIVE", **more,
        }
        self.check("KeySigningKeyWithActiveStatusNotFound", enable, HostedZoneId=zone)
        self.check("DNSSECNotFound", disable, HostedZoneId=zone)
        self.check("NoSuchHostedZone", create, **key("first", "a", HostedZoneId="Z0"))
        self.check("AccessDenied", create, **key("first", "a", HostedZoneId=self.of_file))
        for operation in [enable, disable]:
            self.check("AccessDenied", operation, HostedZoneId=self.of_file)
        for name in ["ab", "a-b", "a b", LONG, "größe"]:
            self.check("InvalidKeySigningKeyName", create, **key(name, "a"))
        for arn in ["nonsense", kms, "arn:aws:kms:us-east-1:123456789012:alias/a", "arn:aws:kms:us-east-1::key/a"]:
            self.check("InvalidKMSArn", create, **key("first", "", KeyManagementServiceArn=arn))
        for status in ["active", "DELETING"]:
            self.check("InvalidKeySigningKeyStatus", create, **key("first", "a", Status=status))
        self.check("InvalidInput", create, **key("first", "a", CallerReference=LONG))
        for name in ["CallerReference", "KeyManagementServiceArn", "Name", "Status"]:
            without = {field: value for field, value in key("first", "a").items() if field != name}
            self.check("InvalidInput", create, **without)
        for operation in [activate, deactivate, delete]:
            self.check("NoSuchKeySigningKey", operation, HostedZoneId=zone, Name="first")
            self.check("NoSuchHostedZone", operation, HostedZoneId="Z0", Name="first")
        self.call(create, **key("first", "a"))
        self.check("KeySigningKeyAlreadyExists", create, **key("first", "b"))
        self.check("KeySigningKeyAlreadyExists", create, **key("other", "a"))
        first, second = {"HostedZoneId": zone, "Name": "first"}, {"HostedZoneId": zone, "Name": "second"}
        self.check("InvalidKeySigningKeyStatus", activate, **first)
        self.check("InvalidKeySigningKeyStatus", delete, **first)
        self.call(create, **key("second", "b", Status="INACTIVE"))
        self.check("TooManyKeySigningKeys", create, **key("third", "c"))
        self.check("InvalidKeySigningKeyStatus", deactivate, **second)
        self.check("HostedZoneNotEmpty", "DeleteHostedZone", Id=zone)

        # The zone above knows other servers, and then a key.
        parent = self.zone("example")
        named = lambda type, *values: {
            "Name": "errors.example", "Type": type, "TTL": 60, "ResourceRecords": [{"Value": value} for value in values],
        }
        self.call("ChangeResourceRecordSets", **self.batch(parent, ("CREATE", named("NS", "ns9.example.org"))))
        self.check("HostedZonePartiallyDelegated", enable, HostedZoneId=zone)
        right = named("NS", "NS2.example.org.", "ns1.example.org")
        self.call("ChangeResourceRecordSets", **self.batch(parent, ("UPSERT", right)))
        self.call(enable, HostedZoneId=zone)
        self.call(enable, HostedZoneId=zone)
        self.check("KeySigningKeyInUse", deactivate, **first)
        self.call(activate, **second)
        ds = {key["Name"]: key["DSRecord"] for key in self.call("GetDNSSEC", HostedZoneId=zone)["KeySigningKeys"]}
        ds = named("DS", ds["first"])
        self.call("ChangeResourceRecordSets", **self.batch(parent, ("CREATE", ds)))
        self.check("KeySigningKeyInParentDSRecord", deactivate, **first)
        self.check("KeySigningKeyInParentDSRecord", disable, HostedZoneId=zone)
        self.call(deactivate, **second)
        self.call("ChangeResourceRecordSets", **self.batch(parent, ("DELETE", ds)))
        self.call(disable, HostedZoneId=zone)
        self.check("DNSSECNotFound", disable, HostedZoneId=zone)
        for operation in ["GetDNSSEC", enable, disable]:
            self.check("NoSuchHostedZone", operation, HostedZoneId="Z0")

    def test_operations_that_are_not_built_say_so(self):
        values = {"string": NO_ID, "integer": 1, "long": 1, "boolean": True}

        def argument(shape):
            if shape.type_name == "structure":
                return {name: argument(shape.members[name]) for name in shape.required_members}
            if shape.type_name == "list":
                return [argument(shape.member)]
            return getattr(shape, "enum", None) and shape.enum[0] or values[shape.type_name]

        for operation in sorted(NOT_BUILT):
            with self.subTest(operation):
                arguments = argument(self.model.operation_model(operation).input_shape)
                message = self.refused(
                    "UnsupportedOperation", 400, getattr(self.route53, self.methods[operation]), **arguments
                )
                self.assertEqual(f"pulse53 does not implement {operation}.", message)
