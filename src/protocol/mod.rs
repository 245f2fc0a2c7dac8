//! (room: protocol)
