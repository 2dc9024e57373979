# Copies of approved models (store.mirrors = ["s3://BUCKET/models"]), and a bucket for logs of access.
resource "aws_s3_bucket" "mirrors" {
  # checkov:skip=CKV_AWS_144:models can be trained again from their manifests; another region is a second mirror
  # checkov:skip=CKV2_AWS_62:nothing waits for a new model: services look for one themselves
  bucket_prefix = "${var.name}-mirrors-"
}

resource "aws_s3_bucket" "logs" {
  # checkov:skip=CKV_AWS_18:it would log its own logs
  # checkov:skip=CKV_AWS_21:logs are written once, and deleted by age
  # checkov:skip=CKV_AWS_144:logs are of use where they are
  # checkov:skip=CKV_AWS_145:load balancers cannot write to a bucket with a key of one's own
  # checkov:skip=CKV2_AWS_62:nobody waits for a log
  bucket_prefix = "${var.name}-logs-"
}

resource "aws_s3_bucket_public_access_block" "mirrors" {
  bucket                  = aws_s3_bucket.mirrors.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_public_access_block" "logs" {
  bucket                  = aws_s3_bucket.logs.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_versioning" "mirrors" {
  bucket = aws_s3_bucket.mirrors.id
  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "mirrors" {
  bucket = aws_s3_bucket.mirrors.id
  rule {
    bucket_key_enabled = true
    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = aws_kms_key.this.arn
    }
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "logs" {
  bucket = aws_s3_bucket.logs.id
  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_s3_bucket_logging" "mirrors" {
  bucket        = aws_s3_bucket.mirrors.id
  target_bucket = aws_s3_bucket.logs.id
  target_prefix = "mirrors/"
  depends_on    = [aws_s3_bucket_policy.logs]
}

resource "aws_s3_bucket_lifecycle_configuration" "mirrors" {
  bucket = aws_s3_bucket.mirrors.id
  rule {
    id     = "old"
    status = "Enabled"
    filter {}
    noncurrent_version_expiration {
      noncurrent_days = 90
    }
    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "logs" {
  bucket = aws_s3_bucket.logs.id
  rule {
    id     = "old"
    status = "Enabled"
    filter {}
    expiration {
      days = var.log_days
    }
    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }
}

resource "aws_s3_bucket_policy" "mirrors" {
  bucket     = aws_s3_bucket.mirrors.id
  policy     = data.aws_iam_policy_document.mirrors.json
  depends_on = [aws_s3_bucket_public_access_block.mirrors]
}

data "aws_iam_policy_document" "mirrors" {
  statement {
    sid       = "Encrypted"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [aws_s3_bucket.mirrors.arn, "${aws_s3_bucket.mirrors.arn}/*"]
    principals {
      type        = "*"
      identifiers = ["*"]
    }
    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}

resource "aws_s3_bucket_policy" "logs" {
  bucket     = aws_s3_bucket.logs.id
  policy     = data.aws_iam_policy_document.logs.json
  depends_on = [aws_s3_bucket_public_access_block.logs]
}

# Of the bucket above, of the network, and of the load balancer.
data "aws_iam_policy_document" "logs" {
  statement {
    sid       = "Encrypted"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [aws_s3_bucket.logs.arn, "${aws_s3_bucket.logs.arn}/*"]
    principals {
      type        = "*"
      identifiers = ["*"]
    }
    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
  statement {
    sid       = "Write"
    actions   = ["s3:PutObject"]
    resources = ["${aws_s3_bucket.logs.arn}/*"]
    principals {
      type = "Service"
      identifiers = [
        "logging.s3.amazonaws.com", "delivery.logs.amazonaws.com",
        "logdelivery.elasticloadbalancing.amazonaws.com",
      ]
    }
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }
  }
  statement {
    sid       = "Find"
    actions   = ["s3:GetBucketAcl"]
    resources = [aws_s3_bucket.logs.arn]
    principals {
      type        = "Service"
      identifiers = ["delivery.logs.amazonaws.com"]
    }
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }
  }
}

# Who trains writes models, and services read them.
data "aws_iam_policy_document" "read_models" {
  statement {
    sid       = "List"
    actions   = ["s3:ListBucket"]
    resources = [aws_s3_bucket.mirrors.arn]
  }
  statement {
    sid       = "Read"
    actions   = ["s3:GetObject"]
    resources = ["${aws_s3_bucket.mirrors.arn}/*"]
  }
  statement {
    sid       = "Key"
    actions   = ["kms:Decrypt"]
    resources = [aws_kms_key.this.arn]
  }
}
