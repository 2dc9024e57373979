# region, repository and function are settings of the section aws of config.toml, too; docs/guide/aws.md.
variable "region" {
  description = "AWS region, such as eu-central-1."
  type        = string
}

variable "name" {
  description = "Name of what is made here, and the beginning of others' names."
  type        = string
  default     = "light-model"
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,18}[a-z0-9]$", var.name))
    error_message = "Lower-case letters, digits and hyphens, at most 20: buckets and load balancers are named after it."
  }
}

variable "repository" {
  description = "Name of the ECR repository; aws.repository."
  type        = string
  default     = "light-model"
}

variable "function" {
  description = "Name of the Lambda function; aws.function."
  type        = string
  default     = "light-model"
}

variable "architecture" {
  description = "Processor for which images are built: x86_64 or arm64."
  type        = string
  default     = "x86_64"
  validation {
    condition     = contains(["x86_64", "arm64"], var.architecture)
    error_message = "x86_64 or arm64."
  }
}

variable "keep_images" {
  description = "Number of images that the repository keeps."
  type        = number
  default     = 50
}

variable "input_stream" {
  description = "Name of the Kinesis stream whose records are scored."
  type        = string
  default     = "light-model-input"
}

variable "output_stream" {
  description = "Name of the Kinesis stream of answers."
  type        = string
  default     = "light-model-output"
}

variable "dead_letter_stream" {
  description = "Name of the Kinesis stream of records that cannot be scored, with the reason."
  type        = string
  default     = "light-model-dead-letter"
}

variable "shards" {
  description = "Shards of input and output: each takes 1 MB or 1,000 records a second."
  type        = number
  default     = 1
}

variable "retention_h" {
  description = "Hours for which streams keep records; what is repaired within them is lost by nobody."
  type        = number
  default     = 48
}

variable "function_image" {
  description = "Tag of the pushed Lambda image that the function begins with; empty: no function yet."
  type        = string
  default     = ""
}

variable "function_memory_mb" {
  description = "Memory of the function; the processor grows with it, one whole at 1769."
  type        = number
  default     = 1769
}

variable "function_timeout_s" {
  description = "Seconds for one batch."
  type        = number
  default     = 60
}

variable "function_environment" {
  description = "Further settings of the function, such as LIGHTMODEL__STREAMS__DEDUPE."
  type        = map(string)
  default     = {}
  sensitive   = true
}

variable "batch_records" {
  description = "Most records in a batch."
  type        = number
  default     = 500
}

variable "batch_window_s" {
  description = "Seconds for which a batch is gathered."
  type        = number
  default     = 1
}

variable "parallel_batches" {
  description = "Batches of one shard at once, 1 to 10; records of one key stay in order."
  type        = number
  default     = 1
}

variable "bisect_batches" {
  description = "Whether a batch that fails is cut in two. Off: the function reports the records that failed."
  type        = bool
  default     = false
}

variable "batch_retries" {
  description = "Retries of a batch, after which it goes to the queue of failed ones; -1: until it is too old."
  type        = number
  default     = 10
}

variable "record_age_s" {
  description = "Seconds after which records are given up; -1: when the stream deletes them."
  type        = number
  default     = -1
}

variable "service" {
  description = "Where the service runs: none, ec2 (a Docker host, for `light-model deploy aws`) or fargate."
  type        = string
  default     = "none"
  validation {
    condition     = contains(["none", "ec2", "fargate"], var.service)
    error_message = "none, ec2 or fargate."
  }
}

variable "certificate" {
  description = "ARN of the certificate (ACM) of the service's name; needed where there is a service."
  type        = string
  default     = ""
  validation {
    condition     = var.service == "none" || var.certificate != ""
    error_message = "The service answers by HTTPS alone: give the ARN of a certificate."
  }
}

variable "allowed_cidrs" {
  description = "Networks whose clients may reach the service, such as 203.0.113.0/24; empty: none."
  type        = list(string)
  default     = []
}

variable "cidr" {
  description = "Addresses of the service's network."
  type        = string
  default     = "10.20.0.0/16"
}

variable "zones" {
  description = "Letters of the two availability zones of the service; not every account has every zone."
  type        = list(string)
  default     = ["a", "b"]
  validation {
    condition     = length(var.zones) == 2
    error_message = "A load balancer needs two zones."
  }
}

variable "service_secret" {
  description = "ARN of the secret (Secrets Manager) with the clients' API keys, serve.api_keys (on ec2: one); empty: no key is needed."
  type        = string
  default     = ""
}

variable "instance_type" {
  description = "Type of the Docker host."
  type        = string
  default     = "t3.medium"
}

variable "disk_gb" {
  description = "Disk of the Docker host."
  type        = number
  default     = 40
}

variable "service_image" {
  description = "Tag of the pushed serving image, for fargate."
  type        = string
  default     = ""
  validation {
    condition     = var.service != "fargate" || var.service_image != ""
    error_message = "Push a serving image first, and give its tag."
  }
}

variable "service_environment" {
  description = "Further settings of the service, for fargate, such as LIGHTMODEL__LOG__SINK."
  type        = map(string)
  default     = {}
}

variable "task_cpu" {
  description = "CPU units of a task: 1024 are one processor."
  type        = number
  default     = 1024
}

variable "task_memory_mb" {
  description = "Memory of a task."
  type        = number
  default     = 2048
}

variable "tasks" {
  description = "Number of tasks."
  type        = number
  default     = 2
}

variable "deletion_protection" {
  description = "Whether the load balancer refuses to be deleted; `terraform destroy` needs false, applied before."
  type        = bool
  default     = true
}

variable "log_days" {
  description = "Days for which logs are kept."
  type        = number
  default     = 365
}

variable "alarm_email" {
  description = "Who is told of alarms and of the budget; AWS asks this address to confirm. Empty: nobody."
  type        = string
  default     = ""
}

variable "alarm_age_s" {
  description = "Seconds for which a record may wait before there is an alarm."
  type        = number
  default     = 300
}

variable "budget_usd" {
  description = "Monthly budget of the account in dollars, of which the alarm tells at 80 %; 0: none."
  type        = number
  default     = 0
}

variable "github_repository" {
  description = "Repository whose GitHub Actions may deploy, owner/name; empty: none."
  type        = string
  default     = ""
}

variable "github_subjects" {
  description = "Where in that repository: a branch, or an environment of its settings."
  type        = list(string)
  default     = ["ref:refs/heads/main", "environment:production"]
}

variable "github_provider" {
  description = "ARN of the account's OIDC provider of GitHub, where there is one already."
  type        = string
  default     = ""
}
