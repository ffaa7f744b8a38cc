//! Whole-node tests of Crust: several nodes, several processes. The tests are in `tests/tests`.
