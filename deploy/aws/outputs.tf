output "repository" {
  description = "Address of the ECR repository, for docker push; ECR_REPOSITORY of deliver.yml."
  value       = aws_ecr_repository.this.repository_url
}

output "streams" {
  description = "Addresses of the streams, as streams.input, streams.output and streams.dead_letter take them."
  value       = { for end, stream in aws_kinesis_stream.this : end => "kinesis://${stream.name}" }
}

output "function" {
  description = "ARN of the alias that readers of the stream invoke."
  value       = one(aws_lambda_alias.live[*].arn)
}

output "host" {
  description = "Id of the Docker host; aws.host."
  value       = one(aws_instance.this[*].id)
}

output "address" {
  description = "Name of the load balancer, for a CNAME of the certificate's name."
  value       = one(aws_lb.this[*].dns_name)
}

output "mirror" {
  description = "For store.mirrors."
  value       = "s3://${aws_s3_bucket.mirrors.id}/models"
}

output "github_role" {
  description = "ARN of the role of GitHub Actions; AWS_ROLE of its workflows."
  value       = one(aws_iam_role.github[*].arn)
}

output "deploy_policy" {
  description = "ARN of the policy that another CI needs to deploy."
  value       = aws_iam_policy.deploy.arn
}

output "key" {
  description = "ARN of the key: who writes records needs kms:GenerateDataKey on it, who reads answers kms:Decrypt."
  value       = aws_kms_key.this.arn
}
