"""Files between the browser and the service: streamed both ways, and never held whole in memory."""
