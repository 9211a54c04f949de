"""The receivers of clients: named, made and changed, checked and tried."""
