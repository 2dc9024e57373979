# var.service = "fargate": the same image without a host. A new version is a new tag in var.service_image.
resource "aws_ecs_cluster" "this" {
  count = local.on_fargate
  name  = var.name
  setting {
    name  = "containerInsights"
    value = "enabled"
  }
}

resource "aws_cloudwatch_log_group" "service" {
  count             = local.on_fargate
  name              = "/aws/ecs/${var.name}"
  retention_in_days = var.log_days
  kms_key_id        = aws_kms_key.this.arn
}

resource "aws_ecs_task_definition" "this" {
  # checkov:skip=CKV_AWS_336:Fargate has no tmpfs; the image's user may write nothing but /tmp and /app/var
  count                    = local.on_fargate
  family                   = var.name
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = var.task_cpu
  memory                   = var.task_memory_mb
  execution_role_arn       = aws_iam_role.execution[0].arn
  task_role_arn            = aws_iam_role.task[0].arn
  runtime_platform {
    operating_system_family = "LINUX"
    cpu_architecture        = var.architecture == "arm64" ? "ARM64" : "X86_64"
  }
  container_definitions = jsonencode([{
    name         = "service"
    image        = "${aws_ecr_repository.this.repository_url}:${var.service_image}"
    essential    = true
    user         = "10001:0"
    stopTimeout  = 40 # longer than serve.graceful_timeout_s
    portMappings = [{ containerPort = local.port, protocol = "tcp" }]
    environment = [
      for name, value in merge({ LIGHTMODEL__SERVE__PROXIES = "1" }, var.service_environment) :
      { name = name, value = value }
    ]
    secrets = var.service_secret == "" ? [] : [
      { name = "LIGHTMODEL__SERVE__API_KEYS", valueFrom = var.service_secret }
    ]
    linuxParameters = { initProcessEnabled = true, capabilities = { drop = ["ALL"] } }
    logConfiguration = {
      logDriver = "awslogs"
      options = {
        awslogs-group         = aws_cloudwatch_log_group.service[0].name
        awslogs-region        = var.region
        awslogs-stream-prefix = "service"
      }
    }
  }])
}

resource "aws_ecs_service" "this" {
  # checkov:skip=CKV_AWS_333:its address lets it reach the registry; nothing but the load balancer reaches it
  count                             = local.on_fargate
  name                              = var.name
  cluster                           = aws_ecs_cluster.this[0].id
  task_definition                   = aws_ecs_task_definition.this[0].arn
  launch_type                       = "FARGATE"
  platform_version                  = "LATEST"
  desired_count                     = var.tasks
  health_check_grace_period_seconds = 60
  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }
  network_configuration {
    subnets          = aws_subnet.public[*].id
    security_groups  = [aws_security_group.service[0].id]
    assign_public_ip = true
  }
  load_balancer {
    target_group_arn = aws_lb_target_group.this[0].arn
    container_name   = "service"
    container_port   = local.port
  }
  depends_on = [aws_lb_listener.https, aws_iam_role_policy.execution]
}

data "aws_iam_policy_document" "by_ecs" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["ecs-tasks.amazonaws.com"]
    }
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }
  }
}

# Starts the container.
resource "aws_iam_role" "execution" {
  count              = local.on_fargate
  name               = "${var.name}-execution"
  assume_role_policy = data.aws_iam_policy_document.by_ecs.json
}

resource "aws_iam_role_policy" "execution" {
  count  = local.on_fargate
  name   = "execution"
  role   = aws_iam_role.execution[0].id
  policy = data.aws_iam_policy_document.execution[0].json
}

data "aws_iam_policy_document" "execution" {
  count                   = local.on_fargate
  source_policy_documents = [data.aws_iam_policy_document.service.json]
  statement {
    sid       = "Log"
    resources = ["${aws_cloudwatch_log_group.service[0].arn}:*"] # its streams, which Fargate names
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
  }
}

# Is the container's own.
resource "aws_iam_role" "task" {
  count              = local.on_fargate
  name               = "${var.name}-task"
  assume_role_policy = data.aws_iam_policy_document.by_ecs.json
}

resource "aws_iam_role_policy" "task" {
  count  = local.on_fargate
  name   = "models"
  role   = aws_iam_role.task[0].id
  policy = data.aws_iam_policy_document.read_models.json
}
