//! Responses in pieces, in each framing, and beyond the bounds.

use proptest::prelude::*;

use super::*;

fn read(bytes: &[u8]) -> Result<Response, AnswerError> {
    let mut reader = ResponseReader::default();
    reader.push(bytes)?;
    reader.finish()
}

fn body(bytes: &[u8]) -> Result<String, AnswerError> {
    read(bytes).map(|response| response.body)
}

#[test]
fn body_is_as_long_as_it_says() {
    let text = b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabcdef";
    assert_eq!(body(text).unwrap(), "abc");
    assert_eq!(body(&text[..text.len() - 4]), Err(AnswerError::Http));
}

#[test]
fn body_without_length_goes_on_to_the_end() {
    assert_eq!(body(b"HTTP/1.0 200\r\n\r\nabc").unwrap(), "abc");
}

#[test]
fn chunks_are_joined() {
    let text =
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nab\r\n1\r\nc\r\n0\r\n\r\n";
    assert_eq!(body(text).unwrap(), "abc");
    assert_eq!(body(&text[..text.len() - 5]), Err(AnswerError::Http));
}

#[test]
fn status_of_an_error_is_told() {
    assert_eq!(read(b"HTTP/1.1 500 Oops\r\n\r\n").unwrap().status, 500);
}

#[test]
fn what_is_no_http_is_refused() {
    for text in [
        "SSH-2.0\r\n\r\n",
        "HTTP/1.1 2\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        "HTTP/1.1 200 OK\r\n",
    ] {
        assert_eq!(read(text.as_bytes()), Err(AnswerError::Http), "{text}");
    }
}

#[test]
fn response_beyond_64_kib_is_cut_off() {
    let head = b"HTTP/1.1 200 OK\r\n\r\n";
    let mut reader = ResponseReader::default();
    assert_eq!(reader.push(head), Ok(false));
    let rest = vec![b'a'; MAX_RESPONSE_LEN - head.len()];
    assert_eq!(reader.push(&rest), Ok(false));
    assert_eq!(reader.push(b"a"), Err(AnswerError::TooLong));
}

#[test]
fn response_that_says_it_is_too_long_is_not_read() {
    let text = b"HTTP/1.1 200 OK\r\nContent-Length: 65536\r\n\r\n";
    assert_eq!(read(text), Err(AnswerError::TooLong));
}

#[test]
fn chunk_of_any_length_is_refused_where_it_is_not_there() {
    let text = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\na";
    assert_eq!(read(text), Err(AnswerError::Http));
}

proptest! {
    #[test]
    fn pieces_are_read_like_the_whole(cuts in proptest::collection::vec(0_usize..80, 0..10)) {
        let text = b"HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 30\r\n\r\nabcdefghijklmnopqrstuvwxyz0123";
        let mut reader = ResponseReader::default();
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(text.len())).collect();
        cuts.extend([0, text.len()]);
        cuts.sort_unstable();
        let mut is_whole = false;
        for pair in cuts.windows(2) {
            prop_assert!(!is_whole || pair[0] == pair[1]);
            is_whole = reader.push(&text[pair[0]..pair[1]]).unwrap();
        }
        prop_assert!(is_whole);
        prop_assert_eq!(reader.finish().unwrap().body.len(), 30);
    }

    #[test]
    fn no_bytes_make_it_panic(
        is_http: bool,
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let head: &[u8] = if is_http { b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" } else { b"" };
        let _ = read(&[head, &bytes].concat());
    }
}
