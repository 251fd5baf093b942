//! What the binary does as a process: run with a cleared environment and a home of its own, against the simulator
//! over real sockets. The simulator's books are the truth that every exit code is held to.

mod aim;
mod asking;
mod audit;
mod batch;
mod batch_crash;
mod batch_hostile;
mod batch_lost;
mod batch_repeats;
mod batch_results;
mod batch_sheets;
mod batch_stops;
mod batch_sweeps;
mod completions;
mod config;
mod crash;
mod desk;
mod doubt;
mod faults;
mod guards;
mod ledger;
mod network;
mod outcome;
mod output;
mod pack;
mod provider;
mod reconcile;
mod reconcile_cuts;
mod reconcile_tampered;
mod refs;
mod report;
mod secrets;
mod sheet;
mod storm;
mod support;
mod terminal;
