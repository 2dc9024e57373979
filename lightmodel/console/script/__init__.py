"""The script of Streamlit, in its own folder: beside it, Streamlit would run the modules of `pages/`."""
