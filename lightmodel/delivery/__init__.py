"""Where images go: a Docker host, or Azure App Service; and what watches over them."""
