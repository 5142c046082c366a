"""Signatures made by botocore, against a node with credentials: what passes, and each way to be refused."""

import datetime
import os
import urllib.error
import urllib.request
import xml.etree.ElementTree as ElementTree
from unittest import TestCase, mock

import boto3
import botocore.auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

ENDPOINT = os.environ["AWS_ENDPOINT_URL_ROUTE_53"]
KEY, SECRET = os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"]
PATH = "/2013-04-01/hostedzone"


def sent(request):
    """Status, error code and message of a request as it is."""
    ready = urllib.request.Request(request.url, data=request.data, headers=dict(request.headers), method=request.method)
    try:
        with urllib.request.urlopen(ready) as response:
            return response.status, None, response.read()
    except urllib.error.HTTPError as error:
        body = error.read()
        find = lambda name: ElementTree.fromstring(body).find(f".//{{*}}{name}").text
        return error.code, find("Code"), find("Message")


def signed(key=KEY, secret=SECRET, service="route53", region="us-east-1", token=None, **request):
    request = AWSRequest(**{"method": "GET", "url": ENDPOINT + PATH, **request})
    botocore.auth.SigV4Auth(Credentials(key, secret, token), service, region).add_auth(request)
    return request


class Signatures(TestCase):
    def refused(self, status, code, request, words=""):
        got = sent(request)
        self.assertEqual((status, code), got[:2], got)
        self.assertIn(words, got[2])
        self.assertNotIn(SECRET, got[2])

    def test_what_is_signed_right_passes_from_any_region(self):
        for region in ["us-east-1", "eu-central-1", "nowhere-9"]:
            self.assertEqual(200, sent(signed(region=region))[0])
        odd = f"{ENDPOINT}/2013-04-01/hostedzonesbyname?dnsname=%2A.a%20b.example&maxitems=1"
        # The name is none, which is only found out behind the signature.
        self.refused(400, "InvalidDomainName", signed(url=odd))
        for service, other in [("route53", "AWS_ENDPOINT_URL_ROUTE_53")]:
            client = boto3.client(service, region_name="ap-south-2", endpoint_url=os.environ[other])
            self.assertEqual([], client.list_hosted_zones()["HostedZones"])

    def test_nobody_signed(self):
        self.refused(403, "MissingAuthenticationToken", AWSRequest("GET", ENDPOINT + PATH), "not signed")

    def test_presigned_requests_are_refused_and_told_so(self):
        request = AWSRequest("GET", ENDPOINT + PATH)
        botocore.auth.SigV4QueryAuth(Credentials(KEY, SECRET), "route53", "us-east-1").add_auth(request)
        self.assertIn("X-Amz-Signature=", request.url)
        self.refused(403, "MissingAuthenticationToken", request, "Presigned requests are not accepted")

    def test_a_clock_that_is_off(self):
        real = datetime.datetime.now(datetime.timezone.utc)
        for minutes, expected in [(-4, None), (4, None), (-6, "RequestExpired"), (6, "RequestExpired")]:
            at = (real + datetime.timedelta(minutes=minutes)).replace(tzinfo=None)
            with mock.patch("botocore.auth.get_current_datetime", return_value=at, create=True):
                status, code, said = sent(signed())
            self.assertEqual((403 if expected else 200, expected), (status, code), said)

    def test_wrong_keys_and_signatures(self):
        self.refused(403, "InvalidClientTokenId", signed(key="AKIANOBODY"))
        self.refused(403, "InvalidClientTokenId", signed(token="of-a-session"))
        self.refused(403, "SignatureDoesNotMatch", signed(secret="another"))
        self.refused(403, "SignatureDoesNotMatch", signed(service="s3"))
        self.refused(403, "SignatureDoesNotMatch", signed(service="route53-recovery-cluster"))
        request = signed()
        request.headers.replace_header("Authorization", "AWS4-HMAC-SHA256 Credential=x")
        self.refused(400, "IncompleteSignature", request)
        request = signed()
        request.headers["X-Amz-Meta"] = "not signed"
        self.refused(403, "SignatureDoesNotMatch", request)

    def test_a_replayed_signature_takes_no_other_body(self):
        request = signed(method="POST", data=b"<R><Name>a.example</Name><CallerReference>1</CallerReference></R>")
        request.data = b"<R><Name>b.example</Name><CallerReference>2</CallerReference></R>"
        self.refused(403, "SignatureDoesNotMatch", request)

    def test_the_recovery_cluster_has_a_service_of_its_own(self):
        def client(secret):
            return boto3.client(
                "route53-recovery-cluster", endpoint_url=ENDPOINT, region_name="eu-west-1",
                aws_access_key_id=KEY, aws_secret_access_key=secret, config=Config(retries={"max_attempts": 0}),
            )
        self.assertEqual([], client(SECRET).list_routing_controls()["RoutingControls"])
        with self.assertRaises(ClientError) as caught:
            client("another").list_routing_controls()
        self.assertEqual("SignatureDoesNotMatch", caught.exception.response["Error"]["Code"])
