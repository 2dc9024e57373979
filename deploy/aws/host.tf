# var.service = "ec2": a Docker host without SSH. `light-model deploy aws` sends it commands through SSM.
data "aws_ssm_parameter" "system" {
  count = local.on_ec2
  name  = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-${var.architecture}"
}

resource "aws_instance" "this" {
  # checkov:skip=CKV_AWS_88:its address lets it reach the registry; nothing but the load balancer reaches it
  count                       = local.on_ec2
  ami                         = data.aws_ssm_parameter.system[0].insecure_value
  instance_type               = var.instance_type
  subnet_id                   = aws_subnet.public[0].id
  vpc_security_group_ids      = [aws_security_group.service[0].id]
  iam_instance_profile        = aws_iam_instance_profile.host[0].name
  associate_public_ip_address = true
  ebs_optimized               = true
  monitoring                  = true
  user_data_replace_on_change = false
  user_data = templatefile("${path.module}/host.sh.tftpl", {
    region = var.region
    secret = var.service_secret
  })
  metadata_options {
    http_tokens                 = "required"
    http_put_response_hop_limit = 2 # containers use the host's role, to read models
  }
  root_block_device {
    encrypted   = true
    kms_key_id  = aws_kms_key.this.arn
    volume_type = "gp3"
    volume_size = var.disk_gb
  }
  tags = { Name = var.name }

  lifecycle {
    ignore_changes = [ami, user_data] # a newer system is a new host, which one asks for by -replace
  }
  depends_on = [aws_route_table_association.public]
}

resource "aws_lb_target_group_attachment" "host" {
  count            = local.on_ec2
  target_group_arn = aws_lb_target_group.this[0].arn
  target_id        = aws_instance.this[0].id
}

resource "aws_iam_instance_profile" "host" {
  count = local.on_ec2
  name  = "${var.name}-host"
  role  = aws_iam_role.host[0].name
}

resource "aws_iam_role" "host" {
  count              = local.on_ec2
  name               = "${var.name}-host"
  assume_role_policy = data.aws_iam_policy_document.by_ec2.json
}

data "aws_iam_policy_document" "by_ec2" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["ec2.amazonaws.com"]
    }
  }
}

# AWS's own policy for hosts that its Systems Manager manages.
resource "aws_iam_role_policy_attachment" "ssm" {
  count      = local.on_ec2
  role       = aws_iam_role.host[0].name
  policy_arn = "arn:${local.partition}:iam::aws:policy/AmazonSSMManagedInstanceCore"
}

resource "aws_iam_role_policy" "host" {
  count  = local.on_ec2
  name   = "host"
  role   = aws_iam_role.host[0].id
  policy = data.aws_iam_policy_document.service.json
}

# What the service's host may do, and Fargate in its place: pull images, and read its secret.
data "aws_iam_policy_document" "service" {
  source_policy_documents = [data.aws_iam_policy_document.read_models.json]
  statement {
    sid       = "Pull"
    resources = [aws_ecr_repository.this.arn]
    actions   = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
  }
  statement {
    sid       = "LogIn"
    resources = ["*"] # it is given for the whole registry
    actions   = ["ecr:GetAuthorizationToken"]
  }
  dynamic "statement" {
    for_each = var.service_secret == "" ? [] : [var.service_secret]
    content {
      sid       = "Secret"
      resources = [statement.value]
      actions   = ["secretsmanager:GetSecretValue"]
    }
  }
}
