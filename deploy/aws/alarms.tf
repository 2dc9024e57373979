# What somebody must look at, by mail.
resource "aws_sns_topic" "alarms" {
  name              = "${var.name}-alarms"
  kms_master_key_id = aws_kms_key.this.arn
}

resource "aws_sns_topic_policy" "alarms" {
  arn    = aws_sns_topic.alarms.arn
  policy = data.aws_iam_policy_document.alarms.json
}

data "aws_iam_policy_document" "alarms" {
  statement {
    actions   = ["sns:Publish"]
    resources = [aws_sns_topic.alarms.arn]
    principals {
      type        = "Service"
      identifiers = ["cloudwatch.amazonaws.com", "budgets.amazonaws.com"]
    }
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }
  }
}

resource "aws_sns_topic_subscription" "alarms" {
  count     = var.alarm_email == "" ? 0 : 1
  topic_arn = aws_sns_topic.alarms.arn
  protocol  = "email"
  endpoint  = var.alarm_email
}

locals {
  of_function = { FunctionName = var.function }
  alarms = merge(
    local.has_function == 0 ? {} : {
      iterator-age = {
        text       = "Records wait too long: the function fails or is too slow for them"
        namespace  = "AWS/Lambda", metric = "IteratorAge", statistic = "Maximum"
        dimensions = local.of_function, limit = var.alarm_age_s * 1000
      }
      errors = {
        text       = "The function fails"
        namespace  = "AWS/Lambda", metric = "Errors", statistic = "Sum"
        dimensions = local.of_function, limit = 0
      }
      throttles = {
        text       = "The account's limit of concurrent functions is reached"
        namespace  = "AWS/Lambda", metric = "Throttles", statistic = "Sum"
        dimensions = local.of_function, limit = 0
      }
      dead-letters = {
        text       = "Records break the contract: the dead-letter stream has them, with the reason"
        namespace  = "AWS/Kinesis", metric = "IncomingRecords", statistic = "Sum"
        dimensions = { StreamName = aws_kinesis_stream.this["dead_letter"].name }, limit = 0
      }
      failed-batches = {
        text       = "Records were given up after all retries: the queue says which"
        namespace  = "AWS/SQS", metric = "ApproximateNumberOfMessagesVisible", statistic = "Maximum"
        dimensions = { QueueName = aws_sqs_queue.failed.name }, limit = 0
      }
    },
    local.is_served == 0 ? {} : {
      unhealthy-hosts = {
        text      = "A host or a task is not ready"
        namespace = "AWS/ApplicationELB", metric = "UnHealthyHostCount", statistic = "Maximum"
        dimensions = {
          TargetGroup  = aws_lb_target_group.this[0].arn_suffix
          LoadBalancer = aws_lb.this[0].arn_suffix
        }
        limit = 0
      }
      server-errors = {
        text       = "The service answers requests with 5xx"
        namespace  = "AWS/ApplicationELB", metric = "HTTPCode_Target_5XX_Count", statistic = "Sum"
        dimensions = { LoadBalancer = aws_lb.this[0].arn_suffix }, limit = 0
      }
    },
  )
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each            = local.alarms
  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = "${each.value.text}."
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = each.value.statistic
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.limit
  period              = 60
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]
}

resource "aws_budgets_budget" "this" {
  count        = var.budget_usd > 0 ? 1 : 0
  name         = var.name
  budget_type  = "COST"
  limit_amount = tostring(var.budget_usd)
  limit_unit   = "USD"
  time_unit    = "MONTHLY"

  dynamic "notification" {
    for_each = { ACTUAL = 80, FORECASTED = 100 }
    content {
      notification_type         = notification.key
      threshold                 = notification.value
      threshold_type            = "PERCENTAGE"
      comparison_operator       = "GREATER_THAN"
      subscriber_sns_topic_arns = [aws_sns_topic.alarms.arn]
    }
  }
}
