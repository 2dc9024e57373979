# The same names and defaults as in the section azure of config.toml.
variable "subscription" {
  description = "Id of the Azure subscription."
  type        = string
}

variable "resource_group" {
  description = "Name of the resource group of all resources here."
  type        = string
  default     = "light-model"
}

variable "location" {
  description = "Azure region."
  type        = string
  default     = "westeurope"
}

variable "registry" {
  description = "Name of the container registry, unique in all of Azure."
  type        = string
}

variable "plan" {
  description = "Name of the App Service plan."
  type        = string
  default     = "light-model"
}

variable "sku" {
  description = "SKU of the plan; from S1 on, versions are swapped without a gap."
  type        = string
  default     = "B1"
}

variable "app" {
  description = "Name of the web app, unique in all of Azure."
  type        = string
}

variable "start_timeout_s" {
  description = "Seconds within which a container must start."
  type        = number
  default     = 600
}

variable "environment" {
  description = "Further settings of the service, such as LIGHTMODEL__LOG__SINK."
  type        = map(string)
  default     = {}
  sensitive   = true
}
