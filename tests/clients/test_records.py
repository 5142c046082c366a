"""Record sets with boto3: batches, listings, special names, refusals, test answers."""

from support import Case, a


class Records(Case):
    def test_a_batch_is_all_or_nothing(self):
        zone = self.zone("batch.example")
        message = self.refused(
            "InvalidChangeBatch", 400, self.route53.change_resource_record_sets, HostedZoneId=zone,
            ChangeBatch={"Changes": [
                {"Action": "CREATE", "ResourceRecordSet": a("good.batch.example", "192.0.2.1")},
                {"Action": "CREATE", "ResourceRecordSet": a("bad.batch.example", "nonsense")},
                {"Action": "DELETE", "ResourceRecordSet": a("gone.batch.example", "192.0.2.1")},
            ]},
        )
        self.assertIn("ARRDATAIllegalIPv4Address", message)
        self.assertIn("[name='gone.batch.example.', type='A'] but it was not found", message)
        self.assertEqual(2, len(self.sets(zone)))

    def test_delete_and_create_of_one_key(self):
        zone = self.zone("replace.example")
        self.change(zone, ("CREATE", a("www.replace.example", "192.0.2.1")))
        self.change(
            zone,
            ("DELETE", a("www.replace.example.", "192.0.2.1")),
            ("CREATE", a("www.replace.example", "192.0.2.2", "192.0.2.1", ttl=30)),
        )
        found = [rrset for rrset in self.sets(zone) if rrset["Type"] == "A"]
        self.assertEqual([a("www.replace.example.", "192.0.2.2", "192.0.2.1", ttl=30)], found)
        for wrong in [a("www.replace.example", "192.0.2.2"), a("www.replace.example", "192.0.2.2", ttl=30)]:
            message = self.refuse_change(zone, "DELETE", wrong)
            self.assertIn("the values provided do not match the current values", message)
        self.assertIn("it already exists", self.refuse_change(zone, "CREATE", found[0]))

    def refuse_change(self, zone, action, rrset, code="InvalidChangeBatch", status=400):
        batch = {"Changes": [{"Action": action, "ResourceRecordSet": rrset}]}
        return self.refused(
            code, status, self.route53.change_resource_record_sets, HostedZoneId=zone, ChangeBatch=batch
        )

    def test_special_names(self):
        zone = self.zone("special.example")
        names = {
            "*.special.example": "\\052.special.example.",
            "\\052.w.special.example": "\\052.w.special.example.",
            "A\\100B.special.example": "a\\100b.special.example.",
            "_dmarc.special.example.": "_dmarc.special.example.",
            "a/b.special.example": "a\\057b.special.example.",
        }
        for name, listed in names.items():
            self.change(zone, ("UPSERT", a(name, "192.0.2.1")), wait=False)
            page = self.route53.list_resource_record_sets(
                HostedZoneId=zone, StartRecordName=name, StartRecordType="A", MaxItems="1"
            )
            self.assertEqual(listed, page["ResourceRecordSets"][0]["Name"])
        for name, listed in names.items():
            self.change(zone, ("DELETE", a(listed, "192.0.2.1")), wait=False)
        self.assertEqual(2, len(self.sets(zone)))
        for name in ["a..special.example", "x" * 64 + ".special.example"]:
            self.refuse_change(zone, "CREATE", a(name, "192.0.2.1"))

    def test_pages_in_order_to_the_last(self):
        zone = self.zone("pages2.example")
        weighted = [a("w.pages2.example", f"192.0.2.{at}", SetIdentifier=f"s{at}", Weight=at) for at in range(4)]
        plain = [a(f"{name}.pages2.example", "192.0.2.1") for name in ["a", "a-b", "b.a", "z"]]
        self.change(zone, *[("CREATE", rrset) for rrset in weighted + plain])
        pages = self.route53.get_paginator("list_resource_record_sets").paginate(
            HostedZoneId=zone, PaginationConfig={"PageSize": 3}
        )
        pages = list(pages)
        self.assertEqual([3, 3, 3, 1], [len(page["ResourceRecordSets"]) for page in pages])
        self.assertEqual("s1", pages[1]["NextRecordIdentifier"])
        self.assertNotIn("NextRecordName", pages[-1])
        listed = [(rrset["Name"].split(".pages2")[0], rrset.get("SetIdentifier"))
                  for page in pages for rrset in page["ResourceRecordSets"]]
        self.assertEqual(
            [("pages2.example.", None), ("pages2.example.", None), ("a-b", None), ("a", None), ("b.a", None),
             ("w", "s0"), ("w", "s1"), ("w", "s2"), ("w", "s3"), ("z", None)], listed,
        )
        self.assertEqual(0, pages[1]["ResourceRecordSets"][2]["Weight"])
        self.refused(
            "InvalidInput", 400, self.route53.list_resource_record_sets, HostedZoneId=zone, StartRecordType="A"
        )

    def test_every_type_is_returned_as_it_was_written(self):
        zone = self.zone("types.example")
        values = {
            "AAAA": ["2001:DB8::1"],
            "CAA": ['0 issue "ca.example; policy=ev"'],
            "CNAME": ["Target.Example"],
            "HTTPS": ["1 . alpn=h2"],
            "MX": ["10 Mail.types.example"],
            "NAPTR": ['100 10 "S" "SIP+D2U" "" _sip._udp.types.example.'],
            "PTR": ["host.types.example."],
            "SPF": ['"v=spf1 -all"'],
            "SRV": ["1 2 3 host.types.example"],
            "SSHFP": ["1 1 123456789abcdef67890123456789abcdef67890"],
            "SVCB": ["1 svc.types.example. port=8443"],
            "TLSA": ["3 1 1 " + "ab" * 32],
            "TXT": ['"a\\"b" "c\\\\d"', '"\\303\\251"'],
        }
        for kind, given in values.items():
            rrset = {
                "Name": f"{kind.lower()}.types.example.", "Type": kind, "TTL": 300,
                "ResourceRecords": [{"Value": value} for value in given],
            }
            self.change(zone, ("CREATE", rrset), wait=False)
            self.assertIn(rrset, self.sets(zone))
        delegation = {"Name": "d.types.example.", "TTL": 60}
        self.change(
            zone,
            ("CREATE", {**delegation, "Type": "NS", "ResourceRecords": [{"Value": "ns.d.types.example."}]}),
            ("CREATE", {**delegation, "Type": "DS", "ResourceRecords": [{"Value": "1 13 2 " + "AB" * 32}]}),
        )

    def test_refusals_in_the_words_that_clients_know(self):
        zone = self.zone("refuse.example")
        self.change(zone, ("CREATE", a("www.refuse.example", "192.0.2.1")))
        cname = {"Type": "CNAME", "TTL": 60, "ResourceRecords": [{"Value": "x.example"}]}
        for rrset, words in [
            (a("www.example.org", "192.0.2.1"), "is not permitted in zone refuse.example."),
            ({"Name": "refuse.example", **cname}, "is not permitted at apex in zone refuse.example."),
            ({"Name": "www.refuse.example", **cname}, "conflicts with other records with the same DNS name"),
            (a("d.refuse.example", "192.0.2.1", "192.0.2.1"), "Duplicate Resource Record: '192.0.2.1'"),
            ({"Name": "t.refuse.example", "Type": "TXT", "TTL": 1, "ResourceRecords": [{"Value": "bare"}]},
             "Value should be enclosed in quotation marks"),
        ]:
            self.assertIn(words, self.refuse_change(zone, "CREATE", rrset))
        ns = next(rrset for rrset in self.sets(zone) if rrset["Type"] == "NS")
        self.assertIn("at least one NS record", self.refuse_change(zone, "DELETE", ns))
        self.refuse_change(zone, "CREATE", a("h.refuse.example", "192.0.2.1", HealthCheckId="none"),
                           code="NoSuchHealthCheck", status=404)
        self.refuse_change(zone, "CREATE", a("w.refuse.example", "192.0.2.1", Weight=1), code="InvalidInput")
        many = [("CREATE", a(f"n{at}.refuse.example", "192.0.2.1")) for at in range(1001)]
        message = self.refused(
            "InvalidChangeBatch", 400, self.route53.change_resource_record_sets, HostedZoneId=zone,
            ChangeBatch={"Changes": [{"Action": action, "ResourceRecordSet": rrset} for action, rrset in many]},
        )
        self.assertIn("Number of records limit of 1000 exceeded.", message)

    def test_aliases_and_policies_come_back_whole(self):
        zone = self.zone("policies.example")
        name = "policies.example."
        sets = [
            a(f"w.{name}", "192.0.2.1", SetIdentifier="w", Weight=0),
            a(f"l.{name}", "192.0.2.1", SetIdentifier="l", Region="eu-central-1"),
            a(f"f.{name}", "192.0.2.1", SetIdentifier="f", Failover="SECONDARY"),
            a(f"g.{name}", "192.0.2.1", SetIdentifier="g", GeoLocation={"CountryCode": "US", "SubdivisionCode": "CA"}),
            a(f"m.{name}", "192.0.2.1", SetIdentifier="m", MultiValueAnswer=True),
            a(f"p.{name}", "192.0.2.1", SetIdentifier="p",
              GeoProximityLocation={"Coordinates": {"Latitude": "49.22", "Longitude": "-74.01"}, "Bias": -10}),
            {"Name": f"alias.{name}", "Type": "A", "AliasTarget": {
                "HostedZoneId": zone, "DNSName": f"w.{name}", "EvaluateTargetHealth": True}},
        ]
        self.change(zone, *[("CREATE", rrset) for rrset in sets])
        listed = self.sets(zone)
        for rrset in sets:
            self.assertIn(rrset, listed)
        # What a listing returned is what a deletion takes.
        self.change(zone, *[("DELETE", rrset) for rrset in listed if rrset["Type"] == "A"])
        missing = {"Name": f"alias.{name}", "Type": "A", "AliasTarget": {
            "HostedZoneId": zone, "DNSName": f"none.{name}", "EvaluateTargetHealth": True}}
        self.assertIn("but that target was not found", self.refuse_change(zone, "CREATE", missing))
        missing["AliasTarget"]["HostedZoneId"] = "Z0FOREIGN"
        self.assertIn("does not lie within the target zone", self.refuse_change(zone, "CREATE", missing))

    def test_protections(self):
        zone = self.zone("protect.example")
        self.change(zone, ("CREATE", a("www.protect.example", "192.0.2.1")))
        protect = self.route53.create_resource_record_set_protections
        one = {"RecordName": "www.protect.example", "RecordType": "A", "Comment": "ask first"}
        two = {"RecordName": "*.protect.example", "RecordType": "TXT"}
        protect(HostedZoneId=zone, Protections=[one])
        message = self.refuse_change(zone, "DELETE", a("WWW.protect.example", "192.0.2.1"))
        self.assertIn("[name='www.protect.example.', type='A'] but it is protected: ask first", message)
        self.refused("ProtectionAlreadyExists", 409, protect, HostedZoneId=zone, Protections=[one])
        self.refused(
            "InvalidResourceRecordSetProtectionBatch", 400, protect, HostedZoneId=zone, Protections=[one, two]
        )
        listed = self.route53.list_resource_record_set_protections(HostedZoneId=zone)
        self.assertEqual([{**one, "RecordName": "www.protect.example."}], listed["ResourceRecordSetProtections"])
        protect(HostedZoneId=zone, Protections=[two])
        page = self.route53.list_resource_record_set_protections(HostedZoneId=zone, MaxResults="1")
        names = [page["ResourceRecordSetProtections"][0]["RecordName"]]
        page = self.route53.list_resource_record_set_protections(HostedZoneId=zone, NextToken=page["NextToken"])
        names.append(page["ResourceRecordSetProtections"][0]["RecordName"])
        self.assertEqual((["\\052.protect.example.", "www.protect.example."], False), (names, "NextToken" in page))
        release = self.route53.delete_resource_record_set_protections
        keys = [{key: each[key] for key in ["RecordName", "RecordType"]} for each in [one, two]]
        release(HostedZoneId=zone, Protections=keys)
        self.refused(
            "InvalidResourceRecordSetProtectionBatch", 400, release, HostedZoneId=zone, Protections=keys
        )
        self.change(zone, ("DELETE", a("www.protect.example", "192.0.2.1")))

    def test_test_dns_answer(self):
        zone = self.zone("answer.example")
        self.change(zone, ("CREATE", a("WWW.answer.example", "192.0.2.1", "192.0.2.2")))
        ask = self.route53.test_dns_answer
        got = ask(HostedZoneId=zone, RecordName="www.answer.example", RecordType="A")
        self.assertEqual(["192.0.2.1", "192.0.2.2"], sorted(got["RecordData"]))
        self.assertEqual(
            ("www.answer.example.", "A", "NOERROR", "UDP", "ns1.example.org"),
            tuple(got[key] for key in ["RecordName", "RecordType", "ResponseCode", "Protocol", "Nameserver"]),
        )
        got = ask(HostedZoneId=zone, RecordName="none.answer.example", RecordType="A")
        self.assertEqual(("NXDOMAIN", []), (got["ResponseCode"], got["RecordData"]))
        got = ask(HostedZoneId=zone, RecordName="www.answer.example", RecordType="AAAA",
                  EDNS0ClientSubnetIP="2001:db8::", EDNS0ClientSubnetMask="48")
        self.assertEqual(("NOERROR", []), (got["ResponseCode"], got["RecordData"]))
        for wrong in [
            {"RecordName": "www.example.org"}, {"ResolverIP": "nonsense"},
            {"EDNS0ClientSubnetIP": "192.0.2.1", "EDNS0ClientSubnetMask": "33"},
        ]:
            arguments = {"HostedZoneId": zone, "RecordName": "www.answer.example", "RecordType": "A", **wrong}
            self.refused("InvalidInput", 400, ask, **arguments)
        self.refused("NoSuchHostedZone", 404, ask, HostedZoneId="Z0", RecordName="a", RecordType="A")


class Cidr(Case):
    def blocks(self, collection, **query):
        pages = self.route53.get_paginator("list_cidr_blocks").paginate(
            CollectionId=collection, PaginationConfig={"PageSize": 2}, **query
        )
        return [(block["LocationName"], block["CidrBlock"]) for page in pages for block in page["CidrBlocks"]]

    def put(self, collection, location, *blocks, action="PUT", **fields):
        change = {"LocationName": location, "Action": action, "CidrList": list(blocks)}
        return self.route53.change_cidr_collection(Id=collection, Changes=[change], **fields)

    def test_collections_route(self):
        reference = self.reference()
        made = self.route53.create_cidr_collection(Name="isp", CallerReference=reference)["Collection"]
        again = self.route53.create_cidr_collection(Name="isp", CallerReference=reference)["Collection"]
        self.assertEqual((made, 1), (again, made["Version"]))
        self.refused(
            "CidrCollectionAlreadyExistsException", 400, self.route53.create_cidr_collection,
            Name="isp", CallerReference=self.reference(),
        )
        id = made["Id"]
        self.wait(self.put(id, "a", "198.51.100.77/24", "203.0.113.0/24", "2001:db8::/48")["Id"])
        self.put(id, "b", "192.0.2.0/24", CollectionVersion=2)
        self.assertEqual(
            [("a", "198.51.100.0/24"), ("a", "2001:db8::/48"), ("a", "203.0.113.0/24"), ("b", "192.0.2.0/24")],
            self.blocks(id),
        )
        self.assertEqual([("b", "192.0.2.0/24")], self.blocks(id, LocationName="b"))
        self.refused(
            "NoSuchCidrLocationException", 404, self.route53.list_cidr_blocks, CollectionId=id, LocationName="c"
        )
        locations = self.route53.list_cidr_locations(CollectionId=id)["CidrLocations"]
        self.assertEqual(["a", "b"], [location["LocationName"] for location in locations])

        zone = self.zone("cidr.example")
        sets = [
            a("cidr.example.", value, SetIdentifier=location,
              CidrRoutingConfig={"CollectionId": id, "LocationName": location})
            for location, value in [("a", "192.0.2.1"), ("b", "192.0.2.2"), ("*", "192.0.2.3")]
        ]
        self.change(zone, *[("CREATE", rrset) for rrset in sets])
        def answer(client):
            return self.route53.test_dns_answer(
                HostedZoneId=zone, RecordName="cidr.example", RecordType="A", ResolverIP=client
            )["RecordData"]
        self.assertEqual(["192.0.2.1"], answer("203.0.113.9"))
        self.assertEqual(["192.0.2.2"], answer("192.0.2.9"))
        self.assertEqual(["192.0.2.3"], answer("10.9.9.9"))
        # Out of one location and into the other, in one request.
        moved = self.route53.change_cidr_collection(Id=id, Changes=[
            {"LocationName": "b", "Action": "PUT", "CidrList": ["203.0.113.0/24"]},
            {"LocationName": "a", "Action": "DELETE_IF_EXISTS", "CidrList": ["203.0.113.0/24"]},
        ])
        self.wait(moved["Id"])
        self.assertEqual(["192.0.2.2"], answer("203.0.113.9"))

        for arguments, code in [
            (("b", "198.51.100.0/24"), "CidrBlockInUseException"),
            (("a", "198.51.100.0/25"), "InvalidInput"),
            (("a", "nonsense"), "InvalidInput"),
        ]:
            change = {"LocationName": arguments[0], "Action": "PUT", "CidrList": [arguments[1]]}
            self.refused(code, 400, self.route53.change_cidr_collection, Id=id, Changes=[change])
        # The last block of a location that a record set uses.
        gone = {"LocationName": "a", "Action": "DELETE_IF_EXISTS", "CidrList": ["198.51.100.0/24", "2001:db8::/48"]}
        self.refused("CidrBlockInUseException", 400, self.route53.change_cidr_collection, Id=id, Changes=[gone])
        self.refused(
            "CidrCollectionVersionMismatchException", 409, self.route53.change_cidr_collection,
            Id=id, CollectionVersion=1, Changes=[gone],
        )
        self.refused("CidrCollectionInUseException", 400, self.route53.delete_cidr_collection, Id=id)
        self.change(zone, *[("DELETE", rrset) for rrset in sets])
        everything = {}
        for location, block in self.blocks(id):
            everything.setdefault(location, []).append(block)
        self.route53.change_cidr_collection(Id=id, Changes=[
            {"LocationName": location, "Action": "DELETE_IF_EXISTS", "CidrList": blocks}
            for location, blocks in everything.items()
        ])
        self.assertEqual([], self.route53.list_cidr_locations(CollectionId=id)["CidrLocations"])
        self.route53.delete_cidr_collection(Id=id)
        self.refused(
            "NoSuchCidrCollectionException", 404, self.route53.delete_cidr_collection, Id=id
        )
        wrong = a("w.cidr.example", "192.0.2.1", SetIdentifier="w",
                  CidrRoutingConfig={"CollectionId": id, "LocationName": "a"})
        self.refused(
            "InvalidInput", 400, self.route53.change_resource_record_sets, HostedZoneId=zone,
            ChangeBatch={"Changes": [{"Action": "CREATE", "ResourceRecordSet": wrong}]},
        )

    def test_listed_over_pages(self):
        ids = sorted(
            self.route53.create_cidr_collection(Name=f"p{at}", CallerReference="p")["Collection"]["Id"]
            for at in range(3)
        )
        pages = self.route53.get_paginator("list_cidr_collections").paginate(PaginationConfig={"PageSize": 2})
        listed = [collection["Id"] for page in pages for collection in page["CidrCollections"]]
        self.assertLessEqual(set(ids), set(listed))
        self.refused("InvalidInput", 400, self.route53.list_cidr_collections, NextToken="nonsense")
        for id in ids:
            self.route53.delete_cidr_collection(Id=id)
