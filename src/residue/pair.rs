//! RSA keys ("Keys").
