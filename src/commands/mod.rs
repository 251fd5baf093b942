//! One file per subcommand: a request of domain types, the work, an outcome to show.
