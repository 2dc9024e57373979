# What `python -m lightmodel deploy azure` needs, with the same names and settings, for teams that keep
# their infrastructure as code. That command deploys the images; Terraform ignores them.
terraform {
  required_version = ">= 1.6"
  required_providers {
    azurerm = {
      source  = "hashicorp/azurerm"
      version = "~> 4.0"
    }
  }
}

provider "azurerm" {
  features {}
  subscription_id = var.subscription
}

locals {
  port      = "5001"
  has_slots = length(regexall("^[SPI]", var.sku)) > 0
  settings = merge(var.environment, {
    WEBSITES_PORT                       = local.port
    PORT                                = local.port
    WEBSITES_CONTAINER_START_TIME_LIMIT = tostring(var.start_timeout_s)
    WEBSITES_ENABLE_APP_SERVICE_STORAGE = "false"
    LIGHTMODEL__SERVE__PROXIES          = "1"
  })
}

resource "azurerm_resource_group" "this" {
  name     = var.resource_group
  location = var.location
}

resource "azurerm_container_registry" "this" {
  # checkov:skip=CKV_AZURE_139:closing the registry to the internet is of the Premium tier, at ten times the price; it needs a role to be read
  # checkov:skip=CKV_AZURE_163:scanning is Defender's, which is switched on for a subscription and not here
  # checkov:skip=CKV_AZURE_164:signed images are of the Premium tier, at ten times the price; what runs is named by its digest
  # checkov:skip=CKV_AZURE_165:replication is of the Premium tier, at ten times the price; the service runs in one region
  # checkov:skip=CKV_AZURE_166:quarantine is of the Premium tier, at ten times the price; what is pushed was tested before
  # checkov:skip=CKV_AZURE_167:retention is of the Premium tier, at ten times the price; old images are deleted by hand
  # checkov:skip=CKV_AZURE_233:redundant zones are of the Premium tier, at ten times the price; images can be pushed again
  # checkov:skip=CKV_AZURE_237:data endpoints of its own are of the Premium tier, at ten times the price
  name                = var.registry
  resource_group_name = azurerm_resource_group.this.name
  location            = azurerm_resource_group.this.location
  sku                 = "Basic"
  admin_enabled       = false
}

resource "azurerm_service_plan" "this" {
  # checkov:skip=CKV_AZURE_211:B1 is the smallest plan that is always on; var.sku takes a larger one
  # checkov:skip=CKV_AZURE_212:one instance is enough to begin with; scale out the plan where it is not
  # checkov:skip=CKV_AZURE_225:redundant zones need a Premium plan with two instances or more
  name                = var.plan
  resource_group_name = azurerm_resource_group.this.name
  location            = azurerm_resource_group.this.location
  os_type             = "Linux"
  sku_name            = var.sku
}

resource "azurerm_linux_web_app" "this" {
  # checkov:skip=CKV_AZURE_13:clients send API keys, which the service checks itself: serve.api_keys, in var.environment
  # checkov:skip=CKV_AZURE_17:clients send API keys, and few of them have certificates
  # checkov:skip=CKV_AZURE_88:the model is in the image; nothing of it is on a share
  # checkov:skip=CKV_AZURE_222:it is there to be reached by clients
  name                = var.app
  resource_group_name = azurerm_resource_group.this.name
  location            = azurerm_resource_group.this.location
  service_plan_id     = azurerm_service_plan.this.id
  https_only          = true
  app_settings        = local.settings

  identity {
    type = "SystemAssigned"
  }

  site_config {
    always_on                               = length(regexall("^[FD]", var.sku)) == 0
    health_check_path                       = "/ready"
    health_check_eviction_time_in_min       = 5
    http2_enabled                           = true
    ftps_state                              = "Disabled"
    minimum_tls_version                     = "1.2"
    container_registry_use_managed_identity = true
  }

  logs {
    detailed_error_messages = true
    failed_request_tracing  = true
    http_logs {
      file_system {
        retention_in_days = 7
        retention_in_mb   = 35
      }
    }
  }

  lifecycle {
    ignore_changes = [site_config[0].application_stack, app_settings["LIGHT_MODEL_PREVIOUS_IMAGE"]]
  }
}

resource "azurerm_linux_web_app_slot" "staging" {
  count          = local.has_slots ? 1 : 0
  name           = "staging"
  app_service_id = azurerm_linux_web_app.this.id
  https_only     = true
  app_settings   = local.settings

  identity {
    type = "SystemAssigned"
  }

  site_config {
    always_on                               = true
    health_check_path                       = "/ready"
    health_check_eviction_time_in_min       = 5
    http2_enabled                           = true
    ftps_state                              = "Disabled"
    minimum_tls_version                     = "1.2"
    container_registry_use_managed_identity = true
  }

  logs {
    detailed_error_messages = true
    failed_request_tracing  = true
    http_logs {
      file_system {
        retention_in_days = 7
        retention_in_mb   = 35
      }
    }
  }

  lifecycle {
    ignore_changes = [site_config[0].application_stack, app_settings["LIGHT_MODEL_PREVIOUS_IMAGE"]]
  }
}

resource "azurerm_role_assignment" "pull" {
  scope                = azurerm_container_registry.this.id
  role_definition_name = "AcrPull"
  principal_id         = azurerm_linux_web_app.this.identity[0].principal_id
}

resource "azurerm_role_assignment" "pull_staging" {
  count                = local.has_slots ? 1 : 0
  scope                = azurerm_container_registry.this.id
  role_definition_name = "AcrPull"
  principal_id         = azurerm_linux_web_app_slot.staging[0].identity[0].principal_id
}

output "address" {
  description = "Where the service answers."
  value       = "https://${azurerm_linux_web_app.this.default_hostname}"
}
