//! The simulator over real loopback sockets, driven by a client of a few lines.

mod admin;
mod faults;
mod gate;
mod lists;
mod orders;
mod rig;
mod store;
mod switches;
