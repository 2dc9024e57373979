resource "aws_lb" "this" {
  # checkov:skip=CKV2_AWS_28:the service itself checks API keys, rates and sizes; a web application firewall costs extra
  # checkov:skip=CKV2_AWS_20:nothing listens on port 80, so that no key is ever sent in clear
  count                      = local.is_served
  name                       = var.name
  load_balancer_type         = "application"
  subnets                    = aws_subnet.public[*].id
  security_groups            = [aws_security_group.balancer[0].id]
  drop_invalid_header_fields = true
  enable_deletion_protection = var.deletion_protection
  idle_timeout               = 120 # a large table takes its time
  access_logs {
    enabled = true
    bucket  = aws_s3_bucket.logs.id
    prefix  = "balancer"
  }
  depends_on = [aws_s3_bucket_policy.logs]
}

resource "aws_lb_listener" "https" {
  count             = local.is_served
  load_balancer_arn = aws_lb.this[0].arn
  port              = 443
  protocol          = "HTTPS"
  ssl_policy        = "ELBSecurityPolicy-TLS13-1-2-2021-06"
  certificate_arn   = var.certificate
  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.this[0].arn
  }
}

resource "aws_lb_target_group" "this" {
  # checkov:skip=CKV_AWS_378:TLS ends at the load balancer; what is behind it takes requests of it alone
  count                = local.is_served
  name                 = var.name
  vpc_id               = aws_vpc.this[0].id
  target_type          = var.service == "ec2" ? "instance" : "ip"
  protocol             = "HTTP"
  port                 = local.port
  deregistration_delay = 40 # longer than serve.graceful_timeout_s
  health_check {
    path                = "/ready"
    interval            = 10
    timeout             = 5
    healthy_threshold   = 2
    unhealthy_threshold = 3
    matcher             = "200"
  }
}
