"""Where images go: a Docker host, Azure App Service or AWS; and what watches over them."""
