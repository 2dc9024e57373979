"""The script that Streamlit runs; it takes a folder `pages` beside a script for its own kind of pages."""
