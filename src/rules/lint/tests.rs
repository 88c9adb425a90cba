//! Each lint fires where it must, and is silent where it must.
