//! What must not stand in a log, in whatever form.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};

/// All that bytes may look like in a log.
fn faces(bytes: &[u8]) -> Vec<String> {
    let joined = |separator: &str, format: fn(u8) -> String| {
        bytes.iter().map(|&byte| format(byte)).collect::<Vec<_>>().join(separator)
    };
    let mut faces = vec![
        joined("", |byte| format!("{byte:02x}")),
        joined("", |byte| format!("{byte:02X}")),
        joined(", ", |byte| format!("{byte}")),
        joined(", ", |byte| format!("{byte:02x}")),
        joined(", ", |byte| format!("{byte:x}")),
        joined(" ", |byte| format!("{byte:02x}")),
        joined("", |byte| format!("\\x{byte:02x}")),
        bytes.escape_ascii().to_string(),
    ];
    faces.extend([STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD].map(|engine| engine.encode(bytes)));
    faces.extend(std::str::from_utf8(bytes).map(str::to_owned));
    faces
}

/// Looks for secrets, and for long parts of them.
#[track_caller]
pub fn holds_none_of(text: &str, secrets: &[(&str, Vec<u8>)]) {
    for (what, secret) in secrets {
        for part in secret.chunks(secret.len().min(12)).filter(|part| part.len() >= 8) {
            for face in faces(part) {
                assert!(!text.contains(&face), "{what} stands in the log as {face:?}");
            }
        }
    }
}
