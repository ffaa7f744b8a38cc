//! crust
