"""flowaudit."""
