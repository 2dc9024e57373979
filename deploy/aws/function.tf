# The Lambda function: lightmodel/lambda_function.py, in the image of the Dockerfile's target `lambda`.
# It needs an image to begin with, so that there is none until var.function_image names one.
locals {
  has_function = var.function_image == "" ? 0 : 1
}

resource "aws_lambda_function" "this" {
  # checkov:skip=CKV_AWS_115:the shards limit how often it runs at once, and new accounts have little to reserve
  # checkov:skip=CKV_AWS_116:of what comes from a stream, the event source mapping has the destination of failures
  # checkov:skip=CKV_AWS_117:it talks to Kinesis alone, by TLS; in a VPC it would need paid endpoints for that
  # checkov:skip=CKV_AWS_272:code signing is for archives; an image is named by its digest
  count         = local.has_function
  function_name = var.function
  description   = "Scores records by the model in its image"
  role          = aws_iam_role.function.arn
  package_type  = "Image"
  image_uri     = "${aws_ecr_repository.this.repository_url}:${var.function_image}"
  architectures = [var.architecture]
  memory_size   = var.function_memory_mb
  timeout       = var.function_timeout_s
  publish       = true
  kms_key_arn   = aws_kms_key.this.arn

  image_config {
    command = ["lightmodel.lambda_function.handler"]
  }
  environment {
    variables = merge({
      LIGHTMODEL__STREAMS__OUTPUT      = "kinesis://${aws_kinesis_stream.this["output"].name}"
      LIGHTMODEL__STREAMS__DEAD_LETTER = "kinesis://${aws_kinesis_stream.this["dead_letter"].name}"
    }, var.function_environment)
  }
  logging_config {
    log_format = "Text"
    log_group  = aws_cloudwatch_log_group.function.name
  }
  tracing_config {
    mode = "Active"
  }

  lifecycle {
    ignore_changes = [image_uri] # `light-model deploy aws` replaces it
  }
  depends_on = [aws_iam_role_policy.function, aws_ecr_repository_policy.this]
}

# What readers of the stream invoke: `light-model deploy aws` shifts it from one version to the next.
resource "aws_lambda_alias" "live" {
  count            = local.has_function
  name             = local.alias
  function_name    = aws_lambda_function.this[0].function_name
  function_version = aws_lambda_function.this[0].version

  lifecycle {
    # `deploy aws` moves it, and notes in the description which version was before
    ignore_changes = [function_version, routing_config, description]
  }
}

resource "aws_lambda_event_source_mapping" "this" {
  count                              = local.has_function
  event_source_arn                   = aws_kinesis_stream.this["input"].arn
  function_name                      = aws_lambda_alias.live[0].arn
  starting_position                  = "TRIM_HORIZON"
  batch_size                         = var.batch_records
  maximum_batching_window_in_seconds = var.batch_window_s
  parallelization_factor             = var.parallel_batches
  function_response_types            = ["ReportBatchItemFailures"]
  bisect_batch_on_function_error     = var.bisect_batches
  maximum_retry_attempts             = var.batch_retries
  maximum_record_age_in_seconds      = var.record_age_s
  destination_config {
    on_failure {
      destination_arn = aws_sqs_queue.failed.arn
    }
  }
}

# What the function could not read at all: which shard and which sequence numbers. Records that break the
# contract do not come here: the function writes them to the dead-letter stream, with the reason.
resource "aws_sqs_queue" "failed" {
  name                      = "${var.function}-failed"
  message_retention_seconds = 1209600
  kms_master_key_id         = aws_kms_key.this.arn
}

resource "aws_cloudwatch_log_group" "function" {
  name              = "/aws/lambda/${var.function}"
  retention_in_days = var.log_days
  kms_key_id        = aws_kms_key.this.arn
}

resource "aws_iam_role" "function" {
  name               = "${var.name}-function"
  assume_role_policy = data.aws_iam_policy_document.by_lambda.json
}

data "aws_iam_policy_document" "by_lambda" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["lambda.amazonaws.com"]
    }
  }
}

resource "aws_iam_role_policy" "function" {
  name   = "function"
  role   = aws_iam_role.function.id
  policy = data.aws_iam_policy_document.function.json
}

data "aws_iam_policy_document" "function" {
  statement {
    sid       = "Read"
    resources = [aws_kinesis_stream.this["input"].arn]
    actions = [
      "kinesis:DescribeStream", "kinesis:DescribeStreamSummary", "kinesis:GetRecords",
      "kinesis:GetShardIterator", "kinesis:ListShards",
    ]
  }
  statement {
    sid       = "Write"
    resources = [aws_kinesis_stream.this["output"].arn, aws_kinesis_stream.this["dead_letter"].arn]
    actions   = ["kinesis:PutRecords"]
  }
  statement {
    sid       = "Failed"
    resources = [aws_sqs_queue.failed.arn]
    actions   = ["sqs:SendMessage"]
  }
  statement {
    sid       = "Key"
    resources = [aws_kms_key.this.arn]
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
  }
  statement {
    sid       = "Log"
    resources = ["${aws_cloudwatch_log_group.function.arn}:*"] # its streams, which Lambda names
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
  }
  statement {
    sid       = "Trace"
    resources = ["*"] # X-Ray has no resources that these could name
    actions   = ["xray:PutTelemetryRecords", "xray:PutTraceSegments"]
  }
}
