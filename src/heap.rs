//! Large futures on the heap.

use std::pin::Pin;

/// The future that `make` makes, on the heap.
///
/// `Box::pin(make())` asks for memory when the future is made, and copies the whole of it there, also the room of
/// what it will hold later. Here the memory comes first, so that only what the future begins with is written.
pub fn pinned<F: Future>(make: impl FnOnce() -> F) -> Pin<Box<F>> {
    let place = Box::new_uninit();
    Box::into_pin(Box::write(place, make()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_made_is_what_runs() {
        let words = String::from("room for later");
        let length = pinned(|| async move {
            let later = [1_u8; 4096];
            tokio::task::yield_now().await;
            words.len() + usize::from(later[7])
        });
        assert_eq!(length.await, 15);
    }
}
