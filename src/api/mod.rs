//! The thin HTTP module: the only room that names reqwest.
