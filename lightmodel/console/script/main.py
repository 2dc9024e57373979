"""What Streamlit runs for each session, and again after each action of its user."""

from lightmodel.console.frame import show

if __name__ == "__main__":
    show()
