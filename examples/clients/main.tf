# Terraform or OpenTofu with pulse53 in place of Route 53.

provider "aws" {
  region                      = "us-east-1"
  access_key                  = "pulse53"
  secret_key                  = "pulse53"
  skip_credentials_validation = true
  skip_requesting_account_id  = true
  skip_metadata_api_check     = true
  skip_region_validation      = true

  endpoints {
    route53 = "http://127.0.0.1:5380"
  }
}

resource "aws_route53_zone" "example" {
  name = "example.test"
}

resource "aws_route53_health_check" "web" {
  for_each          = { fra = "192.0.2.1", ams = "192.0.2.2" }
  type              = "HTTP"
  ip_address        = each.value
  port              = 80
  resource_path     = "/health"
  request_interval  = 10
  failure_threshold = 3
  tags              = { "pulse53:interval" = "1s" }
}

resource "aws_route53_record" "primary" {
  zone_id         = aws_route53_zone.example.zone_id
  name            = "www"
  type            = "A"
  ttl             = 30
  records         = ["192.0.2.1"]
  set_identifier  = "fra"
  health_check_id = aws_route53_health_check.web["fra"].id

  failover_routing_policy {
    type = "PRIMARY"
  }
}

resource "aws_route53_record" "secondary" {
  zone_id         = aws_route53_zone.example.zone_id
  name            = "www"
  type            = "A"
  ttl             = 30
  records         = ["192.0.2.2"]
  set_identifier  = "ams"
  health_check_id = aws_route53_health_check.web["ams"].id

  failover_routing_policy {
    type = "SECONDARY"
  }
}
