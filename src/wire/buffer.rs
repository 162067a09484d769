//! Bytes that came but could not be used yet.

/// A buffer that could hold so many times what it does gives the rest back,
const ROOMY: usize = 4;
/// unless it is as small as this.
const SMALL: usize = 64;

/// A queue of bytes that holds no memory while it is empty.
#[derive(Debug, Default)]
pub struct Buffer {
    bytes: Vec<u8>,
}

impl Buffer {
    /// Appends `bytes`, in exactly as much memory as is needed.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.reserve_exact(bytes.len());
        self.bytes.extend_from_slice(bytes);
    }

    /// Takes the first `count` bytes away; the last one takes the memory along.
    pub fn consume(&mut self, count: usize) {
        if count >= self.bytes.len() {
            self.bytes = Vec::new();
        } else {
            self.bytes.drain(..count);
            if self.bytes.capacity() > ROOMY * self.bytes.len().max(SMALL) {
                self.bytes = self.bytes.as_slice().into();
            }
        }
    }

    /// What is there.
    pub fn as_slice(&self) -> &[u8] {
        &self.bytes
    }

    /// How many bytes are there.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// True if nothing is there.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_buffer_holds_no_memory() {
        let mut buffer = Buffer::default();
        buffer.push(b"hello");
        buffer.consume(2);
        assert_eq!(buffer.as_slice(), b"llo");
        buffer.push(&[0; 10_000]);
        buffer.consume(10_000);
        assert!(buffer.bytes.capacity() < 300, "the rest of a burst holds no more than it needs");
        buffer.consume(3);
        assert!(buffer.is_empty());
        assert_eq!(buffer.bytes.capacity(), 0);
    }
}
