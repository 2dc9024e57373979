"""What the pages Configure and Train show: the settings, the table and the runs of the project here."""
