//! (room: quota)
