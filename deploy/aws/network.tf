# The network of the service on EC2 or Fargate: two public subnets. Nothing but the load balancer is reached
# from outside, and what runs reaches the registry without a NAT gateway, which would cost more than the host.
resource "aws_vpc" "this" {
  count                = local.is_served
  cidr_block           = var.cidr
  enable_dns_hostnames = true
  tags                 = { Name = var.name }
}

resource "aws_default_security_group" "this" {
  count  = local.is_served
  vpc_id = aws_vpc.this[0].id
}

resource "aws_flow_log" "this" {
  count                = local.is_served
  vpc_id               = aws_vpc.this[0].id
  traffic_type         = "REJECT"
  log_destination_type = "s3"
  log_destination      = "${aws_s3_bucket.logs.arn}/network"
  depends_on           = [aws_s3_bucket_policy.logs]
}

resource "aws_internet_gateway" "this" {
  count  = local.is_served
  vpc_id = aws_vpc.this[0].id
}

resource "aws_subnet" "public" {
  count             = 2 * local.is_served
  vpc_id            = aws_vpc.this[0].id
  cidr_block        = cidrsubnet(var.cidr, 4, count.index)
  availability_zone = "${var.region}${var.zones[count.index]}"
  tags              = { Name = "${var.name}-${count.index + 1}" }
}

resource "aws_route_table" "public" {
  count  = local.is_served
  vpc_id = aws_vpc.this[0].id
  route {
    cidr_block = "0.0.0.0/0"
    gateway_id = aws_internet_gateway.this[0].id
  }
}

resource "aws_route_table_association" "public" {
  count          = 2 * local.is_served
  subnet_id      = aws_subnet.public[count.index].id
  route_table_id = aws_route_table.public[0].id
}

resource "aws_security_group" "balancer" {
  count       = local.is_served
  name        = "${var.name}-balancer"
  description = "Clients of the service"
  vpc_id      = aws_vpc.this[0].id
}

resource "aws_vpc_security_group_ingress_rule" "clients" {
  for_each          = local.is_served == 1 ? toset(var.allowed_cidrs) : toset([])
  security_group_id = aws_security_group.balancer[0].id
  description       = "HTTPS of clients"
  cidr_ipv4         = each.value
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_vpc_security_group_egress_rule" "balancer" {
  count                        = local.is_served
  security_group_id            = aws_security_group.balancer[0].id
  description                  = "Requests to the service"
  referenced_security_group_id = aws_security_group.service[0].id
  ip_protocol                  = "tcp"
  from_port                    = local.port
  to_port                      = local.port
}

resource "aws_security_group" "service" {
  count       = local.is_served
  name        = "${var.name}-service"
  description = "The service"
  vpc_id      = aws_vpc.this[0].id
}

resource "aws_vpc_security_group_ingress_rule" "service" {
  count                        = local.is_served
  security_group_id            = aws_security_group.service[0].id
  description                  = "Requests from the load balancer"
  referenced_security_group_id = aws_security_group.balancer[0].id
  ip_protocol                  = "tcp"
  from_port                    = local.port
  to_port                      = local.port
}

resource "aws_vpc_security_group_egress_rule" "service" {
  count             = local.is_served
  security_group_id = aws_security_group.service[0].id
  description       = "AWS, and where tables and notifications are"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}
