"""What the tests share: a client of the node under test, and short ways to say things."""

import os
import time
import unittest
import uuid

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

ENDPOINT = os.environ["AWS_ENDPOINT_URL_ROUTE_53"]
DNS = os.environ["PULSE53_TEST_DNS"]


def client():
    # Nothing is tried again: an error is a result here.
    return boto3.client("route53", endpoint_url=ENDPOINT, config=Config(retries={"max_attempts": 0}))


def a(name, *values, ttl=60, **fields):
    """An A record set."""
    records = [{"Value": value} for value in values]
    return {"Name": name, "Type": "A", "TTL": ttl, "ResourceRecords": records, **fields}


def eventually(what, attempt, tries=300):
    """Asks until the answer is one; bounded by tries, not by time."""
    for _ in range(tries):
        found = attempt()
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError(f"never came: {what}")


class Case(unittest.TestCase):
    def setUp(self):
        self.route53 = client()

    def reference(self):
        return str(uuid.uuid4())

    def zone(self, name):
        """Makes a zone; its bare id."""
        made = self.route53.create_hosted_zone(Name=name, CallerReference=self.reference())
        return made["HostedZone"]["Id"].removeprefix("/hostedzone/")

    def change(self, zone, *changes, wait=True):
        """Carries out a batch of (action, record set), and waits until it is in sync."""
        batch = {"Changes": [{"Action": action, "ResourceRecordSet": rrset} for action, rrset in changes]}
        done = self.route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch=batch)
        if wait:
            self.wait(done["ChangeInfo"]["Id"])
        return done["ChangeInfo"]

    def wait(self, change):
        waiter = self.route53.get_waiter("resource_record_sets_changed")
        waiter.wait(Id=change, WaiterConfig={"Delay": 1, "MaxAttempts": 60})

    def refused(self, code, status, call, **arguments):
        """The call fails with this code; its message."""
        with self.assertRaises(ClientError) as caught:
            call(**arguments)
        response = caught.exception.response
        self.assertEqual(code, response["Error"]["Code"], response)
        self.assertEqual(status, response["ResponseMetadata"]["HTTPStatusCode"], response)
        return response["Error"]["Message"]

    def sets(self, zone):
        """Every record set, over all pages."""
        pages = self.route53.get_paginator("list_resource_record_sets").paginate(HostedZoneId=zone)
        return [rrset for page in pages for rrset in page["ResourceRecordSets"]]
