//! The tokio example does what it says.

#[path = "../examples/tokio_app.rs"]
#[allow(dead_code, reason = "the example's own main")]
mod example;

#[tokio::test(flavor = "multi_thread")]
async fn crust_runs_in_a_tokio_program() {
    let answer = example::converse().await.unwrap();
    assert_eq!(answer, "Does this run on tokio? Yes!");
}
