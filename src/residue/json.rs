//! JSON, as strictly as clients need it ("JSON").
