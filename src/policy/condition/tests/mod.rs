//! What conditions mean: as tables, as properties, and beside another implementation.

mod call;
mod cases;
mod costs;
mod differential;
mod documentation;
mod generate;
mod mistakes;
mod properties;
