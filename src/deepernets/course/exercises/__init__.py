"""The exercises of the labs: one module per lab, each with its judges and the hints they choose from."""
