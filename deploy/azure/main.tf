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
  name                = var.registry
  resource_group_name = azurerm_resource_group.this.name
  location            = azurerm_resource_group.this.location
  sku                 = "Basic"
  admin_enabled       = false
}

resource "azurerm_service_plan" "this" {
  name                = var.plan
  resource_group_name = azurerm_resource_group.this.name
  location            = azurerm_resource_group.this.location
  os_type             = "Linux"
  sku_name            = var.sku
}

resource "azurerm_linux_web_app" "this" {
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
