"""Where copies of published artefacts are kept."""
