//! Errors: kind, message, source, hints, exit code.
