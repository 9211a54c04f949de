"""The HTTP edge: requests become values, values and exceptions become replies. No decisions are made here."""
