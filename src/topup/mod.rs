//! The at-most-once protocol and the settling of one order.
