locals {
  # input is written by others; answers and dead letters by the function.
  streams = {
    input       = var.input_stream
    output      = var.output_stream
    dead_letter = var.dead_letter_stream
  }
}

resource "aws_kinesis_stream" "this" {
  for_each         = local.streams
  name             = each.value
  shard_count      = each.key == "dead_letter" ? 1 : var.shards
  retention_period = var.retention_h
  encryption_type  = "KMS"
  kms_key_id       = aws_kms_key.this.arn
  stream_mode_details {
    stream_mode = "PROVISIONED"
  }
}
