"""What both papers' tables share: data access, protocol, readouts, records, reports."""
