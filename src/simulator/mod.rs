//! The other side of the wire, for rehearsals and tests.
