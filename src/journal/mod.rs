//! The one trail of everything asked, done and decided: records, hash chain, verify.
