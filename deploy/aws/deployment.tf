# What `light-model deploy aws` may do, for GitHub Actions by OIDC, without a key that could be stolen; attach the
# policy to the role of another CI.
locals {
  by_github = var.github_repository == "" ? 0 : 1
  # The function, and any version or alias of it.
  function_arns = [for end in ["", ":*"] : "arn:${local.partition}:lambda:${var.region}:${local.account}:function:${var.function}${end}"]
}

resource "aws_iam_policy" "deploy" {
  name        = "${var.name}-deploy"
  description = "Push images, and deploy them"
  policy      = data.aws_iam_policy_document.deploy.json
}

data "aws_iam_policy_document" "deploy" {
  source_policy_documents = [data.aws_iam_policy_document.read_models.json]
  statement {
    sid       = "LogIn"
    resources = ["*"] # it is given for the whole registry
    actions   = ["ecr:GetAuthorizationToken"]
  }
  statement {
    sid       = "Push"
    resources = [aws_ecr_repository.this.arn]
    actions = [
      "ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:CompleteLayerUpload",
      "ecr:DescribeImages", "ecr:DescribeRepositories", "ecr:GetDownloadUrlForLayer",
      "ecr:InitiateLayerUpload", "ecr:PutImage", "ecr:UploadLayerPart",
    ]
  }
  statement {
    sid       = "Function"
    resources = local.function_arns
    actions = [
      "lambda:CreateAlias", "lambda:GetAlias", "lambda:GetFunction", "lambda:GetFunctionConfiguration",
      "lambda:InvokeFunction", "lambda:PublishVersion", "lambda:UpdateAlias", "lambda:UpdateFunctionCode",
    ]
  }
  statement {
    sid       = "Watch"
    resources = ["*"] # CloudWatch has no resources that these could name
    actions   = ["cloudwatch:GetMetricData"]
  }
  dynamic "statement" {
    for_each = aws_instance.this
    content {
      sid       = "Host"
      resources = [statement.value.arn, "arn:${local.partition}:ssm:${var.region}::document/AWS-RunShellScript"]
      actions   = ["ssm:SendCommand"]
    }
  }
  dynamic "statement" {
    for_each = aws_instance.this
    content {
      sid       = "Output"
      resources = ["*"] # commands and hosts are found by calls that take no resource
      actions   = ["ssm:DescribeInstanceInformation", "ssm:GetCommandInvocation"]
    }
  }
  statement {
    sid       = "Models"
    resources = ["${aws_s3_bucket.mirrors.arn}/*"]
    actions   = ["s3:AbortMultipartUpload", "s3:PutObject"]
  }
  statement {
    sid       = "Encrypt"
    resources = [aws_kms_key.this.arn]
    actions   = ["kms:GenerateDataKey"]
  }
}

# One for each account: where there is one already, var.github_provider names it.
resource "aws_iam_openid_connect_provider" "github" {
  count          = var.github_provider == "" ? local.by_github : 0
  url            = "https://token.actions.githubusercontent.com"
  client_id_list = ["sts.amazonaws.com"]
}

resource "aws_iam_role" "github" {
  count                = local.by_github
  name                 = "${var.name}-github"
  assume_role_policy   = data.aws_iam_policy_document.by_github[0].json
  max_session_duration = 3600
}

data "aws_iam_policy_document" "by_github" {
  count = local.by_github
  statement {
    actions = ["sts:AssumeRoleWithWebIdentity"]
    principals {
      type        = "Federated"
      identifiers = [var.github_provider == "" ? aws_iam_openid_connect_provider.github[0].arn : var.github_provider]
    }
    condition {
      test     = "StringEquals"
      variable = "token.actions.githubusercontent.com:aud"
      values   = ["sts.amazonaws.com"]
    }
    condition {
      test     = "StringEquals"
      variable = "token.actions.githubusercontent.com:sub"
      values   = [for from in var.github_subjects : "repo:${var.github_repository}:${from}"]
    }
  }
}

resource "aws_iam_role_policy_attachment" "github" {
  count      = local.by_github
  role       = aws_iam_role.github[0].name
  policy_arn = aws_iam_policy.deploy.arn
}
