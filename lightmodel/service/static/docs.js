// Draws the API documentation from the service's OpenAPI description.
SwaggerUIBundle({
  url: document.getElementById("docs").dataset.openapi,
  dom_id: "#docs",
  deepLinking: true,
  defaultModelsExpandDepth: 0,
});
